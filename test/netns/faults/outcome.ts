/** What the fault story measured, as it prints it; `faults.test.ts` judges it. */
import type { Failure, Tally } from "./load-messages.ts";

export interface LoadOutcome {
  /** New connections that were answered. */
  readonly answered: number;
  /** Answers on kept connections. */
  readonly kept: number;
  /** Answers that were none to the question. */
  readonly corrupt: readonly Failure[];
  /** New connections that failed although they lived outside every fault's time. */
  readonly lost: readonly Failure[];
  /** New connections that failed and lived within a fault's time. */
  readonly torn: number;
  /** Kept connections that ended. */
  readonly broken: number;
  /** The outage: the longest time in which no new connection was answered. */
  readonly longestGapMs: number;
  readonly forbiddenTried: number;
  readonly forbiddenAnswered: number;
}

/** Milliseconds since the epoch. A kill's are those just before and just after it. */
export interface FaultTime {
  readonly fromMs: number;
  readonly untilMs: number;
}

export interface Outcome {
  /** What the kernel says of the traffic processes. */
  readonly traffic: readonly TrafficRights[];
  readonly controlKilled: LoadOutcome;
  readonly trafficKilled: LoadOutcome;
  /** SIGSTOP: alive, and turning nothing. */
  readonly trafficStopped: LoadOutcome;
  /** Killed, both controls killed while it is away, and started again. */
  readonly operatorKilled: LoadOutcome;
  /** Answers to calls that a policy forbids which came just before. */
  readonly lateForbidden: readonly string[];
  /** Started again while a node cannot say what it has captured. */
  readonly operatorAlone: { readonly tunnelsKept: boolean; readonly to: string };
  /** Every process of one node proxy, as when its container ends. */
  readonly nodeProxyKilled: LoadOutcome;
  /** The same with its run directory gone. */
  readonly memoryLost: LoadOutcome;
  readonly stopped: {
    readonly exitCode: number | null;
    readonly rules: number;
    readonly to: string;
    readonly startedAgain: string;
  };
  /** Started beside the one that runs, and killed whole as soon as it serves. */
  readonly successorLost: LoadOutcome;
  /** Each node's twice replaced by one beside it. */
  readonly upgraded: LoadOutcome;
  readonly upgradedAlone: LoadOutcome;
  /** Told to end before the next one was started. */
  readonly toldToEnd: LoadOutcome;
  readonly wire: {
    readonly tlsBytes: number;
    readonly otherBytes: number;
    readonly sawText: boolean;
  };
  /** Connections to a pod of the mesh that brought it bytes outside a tunnel. */
  readonly untunnelled: readonly AccessLine[];
}

export interface AccessLine {
  readonly time: string;
  readonly direction: string;
  readonly source: string;
  readonly destination: string;
  readonly code: string;
  readonly tunnelled: boolean;
  readonly bytesReceived: number;
}

export interface TrafficRights {
  readonly user: string;
  readonly groups: string;
  readonly capabilities: readonly string[];
  readonly canGain: boolean;
}

export function loadOutcome(tally: Tally, faults: readonly FaultTime[]): LoadOutcome {
  const { failures, broken } = tally;
  function isTorn({ startedMs, endedMs }: Failure): boolean {
    return faults.some(({ fromMs, untilMs }) => startedMs <= untilMs && fromMs <= endedMs);
  }
  return {
    answered: tally.answered,
    kept: tally.kept,
    longestGapMs: tally.longestGapMs,
    forbiddenTried: tally.forbiddenTried,
    forbiddenAnswered: tally.forbiddenAnswered,
    corrupt: tally.corrupt,
    lost: failures.filter((failure) => !isTorn(failure)),
    torn: failures.filter(isTorn).length,
    broken: broken.length,
  };
}
