/** What is known of one connection from its first moment: for the log, the metrics, the admin list and the recheck. */
import type { Attempt } from "../authz/attempt.ts";
import type { DryRunOutcome, Observation } from "../authz/verdict.ts";
import type { RequestTrace } from "./request-trace.ts";

/** One side of a connection by the names people give it; empty texts where it is no workload of the mesh. */
export interface Party {
  readonly namespace: string;
  readonly name: string;
  /** Bounded: the Deployment's or StatefulSet's name, for metric labels. */
  readonly owner: string;
  /** `spiffe://…`, proven or, on the source's side, demanded; "" for plaintext. */
  readonly identity: string;
}

export const NO_PARTY: Party = { namespace: "", name: "", owner: "", identity: "" };

export interface ConnectionFacts {
  readonly direction: "inbound" | "outbound";
  readonly sinceMs: number;
  /** UID of the pod of this node whose connection it is. */
  readonly pod: string;
  readonly source: Party;
  readonly sourceAddress: string;
  readonly destination: Party;
  /** `address:port` as the caller asked for it. */
  readonly destinationAddress: string;
  /** `address:port` that it was carried to; "" if it was not. */
  readonly upstreamAddress: string;
  /** `namespace/name` of the Service called, else "". */
  readonly service: string;
  readonly tunnelled: boolean;
  /** Ended when for so long no byte came from either side; 0 or absent: never. */
  readonly idleTimeoutMs?: number;
  /** What the connection takes up of limits, given back at its end. */
  readonly lease?: Lease;
  /** Inbound only: what was decided on, and will be again when policies change. */
  readonly attempt?: Attempt;
  /** Its requests are judged one by one; of itself only whether it may come at all. */
  readonly isHttp?: true;
  /** Of one request of it. */
  readonly request?: RequestLine;
  /** Inbound only, and only where policies watched: what they made of it as it began. */
  readonly watched?: Watched;
  /** Inbound only, and only where policies had to ask: whom, in that order, before it was decided. */
  readonly asked?: readonly AskedProvider[];
}

/** One HTTP request as it was judged. */
export interface RequestLine {
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  readonly host: string;
  /** Of the answer; 0 where there was none. */
  readonly status: number;
  /** As they came, but for the trace's own: [name, value, name, value, ...]. For what is kept of denials, never for the log. */
  readonly fields: readonly string[];
  /** Outbound only: the route that ruled it, `namespace/name`, and of its rules the name or the index. */
  readonly route?: string;
  readonly routeRule?: string;
  /** Outbound only: a copy of a request, as a route asked for; nobody hears of its answer. */
  readonly isMirror?: true;
  /** The span that is made of it, where there is one. */
  readonly trace?: RequestTrace;
  /** Of gRPC: what its trailers said. */
  readonly grpcStatus?: number;
}

/** `answer`: `permitted`, `denied`, or why it could not be asked. */
export interface AskedProvider {
  readonly provider: string;
  readonly answer: string;
}

export interface Lease {
  end(): void;
}

/** What policies that never decide said of an attempt: AUDIT, and those in dry run. */
export interface Watched {
  readonly matches: readonly Observation[];
  /** Were the policies in dry run in force. Absent where none selects the workload. */
  readonly dryRun?: DryRunOutcome;
}

/** How a connection ended. `code` is "" for an orderly end, else a stable snake_case word. */
export interface ConnectionOutcome {
  readonly code: string;
  /** Where a policy decided: `namespace/name`, with the rule's index. */
  readonly policy?: string;
  readonly rule?: number;
  /** What a denial is kept under, for `weftctl why`; given by telemetry. */
  readonly denial?: string;
  /** It was carried for a while; false where it was refused or its destination not reached. */
  readonly carried: boolean;
  /** Bytes from the caller, and to it. */
  readonly bytesSent: number;
  readonly bytesReceived: number;
}
