/** The one error that calls to the Kubernetes API throw; callers switch on `reason`. */

/** `unavailable`: no answer, or one that says to come back later; the same call may work then. */
export type KubeErrorReason =
  | "not_found"
  | "already_exists"
  | "conflict"
  | "unauthorized"
  | "forbidden"
  | "invalid"
  | "unavailable";

export class KubeError extends Error {
  override readonly name = "KubeError";
  readonly reason: KubeErrorReason;

  constructor(reason: KubeErrorReason, message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}

/** `statusReason` is the field `reason` of the API's Status object. `undefined` for what is not foreseen. */
export function kubeErrorReason(
  httpStatus: number,
  statusReason: string,
): KubeErrorReason | undefined {
  if (httpStatus === 429 || httpStatus >= 500) return "unavailable";
  switch (httpStatus) {
    case 400:
    case 422:
      return "invalid";
    case 401:
      return "unauthorized";
    case 403:
      return "forbidden";
    case 404:
      return "not_found";
    case 409:
      return statusReason === "AlreadyExists" ? "already_exists" : "conflict";
    default:
      return undefined;
  }
}
