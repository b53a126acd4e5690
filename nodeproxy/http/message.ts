/**
 * What an HTTP exchange is to whoever judges it, whatever version carries it: the heads, and what a gate says to them.
 *
 * No body ever comes by here.
 */
import type { RequestTrace } from "../flow/request-trace.ts";
import type { RequestWay } from "./request-way.ts";

/** Names in lower case, in order of arrival; values trimmed; duplicates kept: [name, value, name, value, ...]. Hop-by-hop fields are gone. */
export type FieldLines = readonly string[];

export interface RequestHead {
  readonly method: string;
  readonly scheme: string;
  readonly authority: string;
  /** origin-form path, as sent */
  readonly path: string;
  /** with its "?" or "" */
  readonly query: string;
  readonly fields: FieldLines;
  /** "" or the protocol asked by Upgrade ("websocket") or Extended CONNECT */
  readonly upgrade: string;
  readonly version: "1.0" | "1.1" | "2";
  /** The span that is made of it, where there is one. */
  readonly trace?: RequestTrace;
}

/** In the place of one that nobody could read. */
export const NO_HEAD: RequestHead = {
  method: "",
  scheme: "",
  authority: "",
  path: "",
  query: "",
  fields: [],
  upgrade: "",
  version: "1.1",
};

export interface ResponseHead {
  readonly status: number;
  readonly fields: FieldLines;
}

/** What a gate says about one request before a byte of it goes on. Never rejects. */
export type GateAnswer =
  | {
      readonly kind: "pass";
      readonly head: RequestHead;
      /** closes this exchange when a later policy change forbids it: called by the engine at once with the closer; returns release */
      readonly hold: (end: () => void) => () => void;
      readonly done: (outcome: ExchangeOutcome) => void;
      /** Absent: to the server of the connection that it came by. */
      readonly way?: RequestWay;
      /** To be said with whatever answers it, the server's answer or one from here. */
      readonly fields?: FieldLines;
    }
  | {
      readonly kind: "refuse";
      readonly status: number;
      /** stable code; "" for an answer that refuses nothing */
      readonly reason: string;
      readonly body: string;
      readonly fields: FieldLines;
      /** Of gRPC, where it is not the one that the status stands for. */
      readonly grpcStatus?: number;
    };

export type Gate = (head: RequestHead) => GateAnswer | Promise<GateAnswer>;

/**
 * Told of each request that came to nothing before the gate was asked: its head could not be read, or its connection
 * broke the protocol. `status`: of the answer that its caller has got; 0 where there was none.
 */
export type RefusedUnread = (reason: string, status: number) => void;

export interface ExchangeOutcome {
  readonly code: string;
  readonly status: number;
  readonly requestBytes: number;
  readonly responseBytes: number;
  readonly durationMs: number;
  /** Of gRPC, where its caller was told one. */
  readonly grpcStatus?: number | undefined;
}
