/**
 * Why the CA cannot work with the key it is given. The operator does not start with one of these; one
 * that runs already goes on, and nodes are answered `Unavailable`.
 */

export type CaErrorReason =
  | "ca_incomplete"
  | "ca_key_readable"
  | "ca_malformed"
  | "ca_key_mismatch"
  | "ca_not_ca"
  | "ca_expired"
  /** Within the life of the longest leaf: leaves would get shorter and shorter, and then end all at once. */
  | "ca_expires_soon"
  /** The CA's own constraints do not permit the name that was asked for. */
  | "ca_name_constraints"
  | "ca_unknown_root"
  /** It was taken out of trust by a rotation. */
  | "ca_retired"
  /** Whoever signs intermediates does not sign a new one. */
  | "ca_not_renewed"
  /** What was just signed did not pass its own check: nothing is handed out. */
  | "ca_issued_invalid";

export class CaError extends Error {
  override readonly name = "CaError";
  readonly reason: CaErrorReason;

  /** `message` says where, what is wrong, and the way out. */
  constructor(reason: CaErrorReason, message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}
