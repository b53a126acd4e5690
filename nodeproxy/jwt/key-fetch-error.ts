/** Why keys could not be fetched. */

export type KeyFetchReason =
  | "forbidden_address"
  | "name_not_found"
  | "unreachable"
  | "timeout"
  /** Another status than 200; a redirect is not followed. */
  | "bad_status"
  | "too_large"
  | "not_json"
  | "no_keys"
  /** The discovery document is of another issuer, or names no place for keys. */
  | "bad_discovery";

export class KeyFetchError extends Error {
  readonly reason: KeyFetchReason;

  constructor(reason: KeyFetchReason, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "KeyFetchError";
    this.reason = reason;
  }
}
