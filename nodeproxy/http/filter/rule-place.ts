/** What filters must know of the rule that they belong to. */
export interface RulePlace {
  /** The path's prefix that it matches, without a slash at the end; `undefined` where it matches otherwise. */
  readonly prefix: string | undefined;
  /** Of the Service, which clients connect to. */
  readonly port: number;
}
