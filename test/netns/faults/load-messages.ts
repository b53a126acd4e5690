/** What the fault story and its applications say to each other over Node's IPC channel. */

/** Must never be readable between the nodes. */
export const SECRET = "fault-plaintext-marker";

export interface Target {
  readonly host: string;
  readonly port: number;
}

/** Times in milliseconds since the epoch. */
export interface Failure {
  readonly startedMs: number;
  readonly endedMs: number;
  readonly message: string;
}

export interface Tally {
  /** New connections that were answered. */
  readonly answered: number;
  /** Of each of them: when it was begun and when it was answered, in the order of the answers. */
  readonly answers: readonly (readonly [startedMs: number, answeredMs: number])[];
  /** Answers on connections that are kept. */
  readonly kept: number;
  /** Answers that were none to the question: octets changed, lost, doubled or somebody else's. */
  readonly corrupt: readonly Failure[];
  /** New connections that were not answered. */
  readonly failures: readonly Failure[];
  /** Kept connections that ended. */
  readonly broken: readonly Failure[];
  /** Longest time between two answers to new connections. */
  readonly longestGapMs: number;
  /** Connections that a policy forbids: tried, and (never to happen) answered. */
  readonly forbiddenTried: number;
  readonly forbiddenAnswered: number;
}

/** Of new connections. */
export interface Pace {
  /** Whatever becomes of those before. */
  readonly perSecond: number;
  /** Not answered yet: as many as that and no others are begun. A machine that is too slow for the pace must not drown. */
  readonly atOnce: number;
}

export type ToLoad =
  | {
      readonly kind: "start";
      readonly target: Target;
      readonly forbidden: readonly Target[];
      readonly pace?: Pace;
    }
  /** Told with `reached` once so many new connections have come to an end. */
  | { readonly kind: "reach"; readonly ended: number }
  | { readonly kind: "stop" }
  | {
      readonly kind: "ask";
      /** Comes back with the answer: several may be asked at once. */
      readonly id: number;
      readonly target: Target;
      readonly patienceMs: number;
    };

export type FromLoad =
  | { readonly kind: "ready" }
  | { readonly kind: "reached" }
  | { readonly kind: "tally"; readonly tally: Tally }
  /** The server's name, or `failed: why`. */
  | { readonly kind: "answer"; readonly id: number; readonly answer: string };
