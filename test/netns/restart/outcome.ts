/** What the restart story measured, as it prints it; `restart.test.ts` judges it. */
import type { LoadOutcome } from "../faults/outcome.ts";

export interface Restart {
  readonly node: string;
  /** From the kill (of a container: from its start) to the first answer on a connection that began after it. */
  readonly recoveredMs: number;
  /** Wall time over CPU time of a program that starts, just before or after: 1 on a machine with nothing else to do. */
  readonly slowness: number;
}

export interface RestartOutcome {
  readonly trafficKilled: readonly Restart[];
  readonly traffic: LoadOutcome;
  readonly bothKilled: readonly Restart[];
  readonly both: LoadOutcome;
  readonly containerKilled: Restart;
  readonly container: LoadOutcome;
}
