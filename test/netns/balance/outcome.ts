/** What a caller saw: who answered each of its calls, "" for nobody. */
export interface BalanceOutcome {
  /** Without a TrafficPolicy. */
  readonly inTurn: readonly string[];
  /** With one that goes by the caller's address. */
  readonly hashed: readonly string[];
  /** With one that makes the port HTTP, to calls that are no requests. */
  readonly asHttp: readonly string[];
  /** Once it is gone. */
  readonly again: readonly string[];
}
