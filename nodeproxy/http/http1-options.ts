/** What an engine of HTTP/1 is given, and what whoever started it may ask of it. */
import type { ReadLane } from "../flow/read-lane.ts";
import type { HttpLimits } from "./http-limits.ts";
import type { DialPod } from "./http1-back.ts";
import type { Gate, RefusedUnread } from "./message.ts";

export interface Http1Options {
  readonly gate: Gate;
  readonly dial: DialPod;
  readonly limits: HttpLimits;
  refused: RefusedUnread;
  /** Of the pod, for what its sockets read. */
  readonly lane?: ReadLane;
  /** Both connections are gone, or on their way. Once. */
  ended?(): void;
}

export interface HttpServing {
  /** Octets moved so far, of both connections. */
  readonly bytes: number;
  /** Takes no further request; ends once the one that runs has its response. */
  drain(): void;
  /** Ends all now, abruptly. */
  end(): void;
  /** Ends what a peer has reset while nobody read it: `flow/reset-watch.ts` asks. */
  hearResets(): void;
}
