/**
 * May one request be sent once more, and when? By its route's rule, and without one: what was lost on a connection's
 * end, once.
 *
 * Never where a server may have begun what must not be done twice: RFC 9110 9.2.2. Pure; chance is handed in.
 */
import type { RouteRetry } from "../../core/model/http-route.ts";
import type { TryFailure } from "../http/request-way.ts";

/** RFC 9110 9.2.2. */
const IDEMPOTENT: ReadonlySet<string> = new Set([
  "GET",
  "HEAD",
  "OPTIONS",
  "TRACE",
  "PUT",
  "DELETE",
]);
const MAX_BACKOFF_MS = 10_000;

/** `unreachable`: no connection was there for it. */
export type Failure = TryFailure | { readonly kind: "unreachable" };

export class RequestRetries {
  readonly isIdempotent: boolean;
  readonly #rule: RouteRetry | undefined;
  readonly #draw: () => number;
  #retries = 0;
  /** A connection may end at any time: whose request met that is no sign of trouble. */
  #hasBeenLost = false;

  /** `draw`: in [0, 1). */
  constructor(method: string, rule: RouteRetry | undefined, draw: () => number) {
    this.isIdempotent = IDEMPOTENT.has(method);
    this.#rule = rule;
    this.#draw = draw;
  }

  /** Milliseconds until then; `undefined`: not again. */
  again(failure: Failure): number | undefined {
    const { kind } = failure;
    const mayHaveBegun = kind !== "refused" && kind !== "unreachable";
    if (mayHaveBegun && !this.isIdempotent) return undefined;
    if ((kind === "lost" || kind === "refused") && !this.#hasBeenLost) {
      this.#hasBeenLost = true;
      return 0;
    }
    const rule = this.#rule;
    if (!rule || this.#retries >= rule.attempts) return undefined;
    if (kind === "status" && !rule.codes.includes(failure.status)) return undefined;
    return this.#backoff(rule);
  }

  /**
   * "unsuccessful backend requests are not retried before the configured minimum duration" (HTTPRouteRetry): that, and
   * up to twice, four times, eight times as much, so that those who failed together do not come back together.
   */
  #backoff({ backoffMs }: RouteRetry): number {
    this.#retries += 1;
    const most = Math.max(backoffMs, Math.min(backoffMs * 2 ** this.#retries, MAX_BACKOFF_MS));
    return Math.round(backoffMs + this.#draw() * (most - backoffMs));
  }
}
