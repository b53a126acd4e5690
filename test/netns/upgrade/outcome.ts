/** What the upgrade story measured, as it prints it; `upgrade.test.ts` judges it. */
import type { Failure } from "../faults/load-messages.ts";

export interface UpgradeOutcome {
  /** Node proxies that another took over from. */
  readonly upgrades: number;
  /** Configuration streams that node proxies opened meanwhile. */
  readonly streamsOpened: number;
  /** New connections that were answered. */
  readonly answered: number;
  /** New connections that were refused, reset or not answered. */
  readonly lost: readonly Failure[];
  /** Answers that were none to the question. */
  readonly corrupt: readonly Failure[];
  /** Kept connections that ended before the drain budget of whoever carried them. */
  readonly cutEarly: readonly Failure[];
  /** Kept connections that ended with it. */
  readonly cutInTime: number;
  readonly forbiddenTried: number;
  readonly forbiddenAnswered: number;
  readonly longestGapMs: number;
}
