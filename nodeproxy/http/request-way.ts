/**
 * Where one request goes, where that is not to the server of the connection that it came by: a connection for each
 * try, whether there is another try after one that failed, and how long all of it may take. Told of a body only where it
 * asks for that.
 */
import type { HttpVersion } from "../../core/model/enrolment.ts";
import type { BackUser, Reaching } from "./http1-back.ts";
import type { CarrierUser } from "./http2-carrier.ts";
import type { ResponseHead } from "./message.ts";

export interface RequestWay {
  /** What its servers speak; absent: as the caller. */
  readonly version?: HttpVersion;
  /** Gives a connection of HTTP/1 for the next try, now or later, or says why there is none. */
  reach(user: BackUser): Reaching;
  /** The same of HTTP/2, with room for one stream more. */
  reachCarrier(user: CarrierUser): Reaching;
  /** Of the request's body, kept for another try; with a longer one there is none. */
  readonly keptOctets: number;
  /** Milliseconds from now to another try, which is the engine's to begin; `undefined`: this failure is the answer. */
  again(failure: TryFailure): number | undefined;
  /** To the end of the response; 0: no limit. */
  readonly requestTimeoutMs: number;
  readonly tryTimeoutMs: number;
  /** Nothing has moved in either direction for so long; absent or 0: no limit. */
  readonly idleTimeoutMs?: number;
  /** Absent: it is never under way twice. Of HTTP/1 alone. */
  readonly hedging?: Hedging | undefined;
  readonly changeResponse?: (head: ResponseHead) => ResponseHead;
  /**
   * Once, if at all: the last octet of the request has come, and it was on its way to a server. `body`: what was kept of
   * it; `undefined` where that is not all. Its octets stay as they are. `secret`: names of its fields that no table may
   * hold. To return soon: the request is not flushed yet.
   */
  readonly onWhole?: OnWhole | undefined;
}

type OnWhole = (body: readonly Buffer[] | undefined, secret?: readonly string[]) => void;

/** Further tries beside the request's own, which is what `reach` gave, or the one that was adopted since. */
export interface Hedging {
  /** Without an answer for so long one begins, and after as long again the next. */
  readonly delayMs: number;
  readonly attempts: number;
  /** One that counts from here on; `undefined`: none may go now, or there is nowhere else. */
  begin(): HedgedTry | undefined;
  /** The request's own try came to nothing like this, and others go on. */
  left(failure: TryFailure): void;
}

export interface HedgedTry {
  /** As `RequestWay` does, to one endpoint. Once. */
  reach(user: BackUser): Reaching;
  /** It is the request's own from here on, and the one before is not wanted any more. */
  adopt(): void;
  /** It is not wanted any more, or came to nothing. Not after `adopt`. */
  end(failure?: TryFailure): void;
}

/** Of a try, nothing of whose response went on to the caller. */
export type TryFailure =
  /** There was no connection for it. */
  | { readonly kind: "unreachable" }
  /** The connection ended behind the request's beginning: the server may have begun. */
  | { readonly kind: "lost" }
  /** The server said that it has not looked at it. */
  | { readonly kind: "refused" }
  /** The server broke it off. */
  | { readonly kind: "reset" }
  | { readonly kind: "late" }
  | { readonly kind: "status"; readonly status: number }
  /** An answer of gRPC without a message: its status, not 0. */
  | { readonly kind: "grpc"; readonly status: number };
