/** What one check of `weftctl check` found, for people and programs. */
export interface Finding {
  /** Stable name of the check. */
  readonly check: string;
  /** `fail` makes the command exit with 1; `warn` names what a person should look at. */
  readonly level: "ok" | "warn" | "fail";
  readonly message: string;
}
