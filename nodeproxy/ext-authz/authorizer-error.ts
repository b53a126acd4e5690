/** Why an external authorizer could not be asked. */

export type CannotAsk =
  /** MeshConfig names no such provider. */
  | "unknown"
  /** It is asked over HTTP, and so about HTTP requests alone. */
  | "http_only"
  /** No answer within its timeout, connecting included. */
  | "timeout"
  /** No endpoint took the connection, or the connection was lost. */
  | "unreachable"
  /** It answered with an error, or with what is no answer. */
  | "failed";

export class AuthorizerError extends Error {
  readonly reason: CannotAsk;

  constructor(reason: CannotAsk, options?: ErrorOptions) {
    super(`authorizer cannot be asked: ${reason}`, options);
    this.name = "AuthorizerError";
    this.reason = reason;
  }
}
