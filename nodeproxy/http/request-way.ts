/**
 * Where one request goes, where that is not to the server of the connection that it came by: a connection for each
 * try, whether there is another try after one that failed, and how long all of it may take. Never told of a body.
 */
import type { BackUser, Reaching } from "./http1-back.ts";
import type { CarrierUser } from "./http2-carrier.ts";
import type { ResponseHead } from "./message.ts";

export interface RequestWay {
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
  readonly changeResponse?: (head: ResponseHead) => ResponseHead;
}

/** Of a try, nothing of whose response went on to the caller. */
export type TryFailure =
  /** The connection ended behind the request's beginning: the server may have begun. */
  | { readonly kind: "lost" }
  /** The server said that it has not looked at it. */
  | { readonly kind: "refused" }
  | { readonly kind: "late" }
  | { readonly kind: "status"; readonly status: number };
