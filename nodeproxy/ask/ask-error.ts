/** Why a service that decides about requests could not be asked. */

export type AskReason =
  /** No answer in time, connecting included. */
  | "timeout"
  /** No endpoint took the connection, or the connection was lost. */
  | "unreachable"
  /** It answered with an error, or with what is no answer. */
  | "failed";

export class AskError extends Error {
  readonly reason: AskReason;

  constructor(reason: AskReason, options?: ErrorOptions) {
    super(`service cannot be asked: ${reason}`, options);
    this.name = "AskError";
    this.reason = reason;
  }
}
