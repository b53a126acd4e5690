/**
 * May one request be sent once more, and when? By its route's rule or else its Service's TrafficPolicy, and without
 * either: what was lost on a connection's end, once.
 *
 * Never where a server may have begun what must not be done twice: RFC 9110 9.2.2. Pure; chance is handed in.
 */
import type { RouteRetry } from "../../core/model/http-route.ts";
import type { HttpRetry, RetryCause } from "../../core/model/http-settings.ts";
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

/** "Implementations SHOULD retry on connection errors" (HTTPRouteRetry). */
const OF_ROUTES = {
  grpcCodes: [],
  on: ["connect-failure", "refused", "reset", "late"],
  maxBackoffMs: 10_000,
} as const;

/** Of the route, where it has one. */
export function retryRule(
  route: RouteRetry | undefined,
  policy: HttpRetry | undefined,
): HttpRetry | undefined {
  return route ? { ...OF_ROUTES, ...route } : policy;
}

export class RequestRetries {
  readonly isIdempotent: boolean;
  readonly #rule: HttpRetry | undefined;
  readonly #draw: () => number;
  #retries = 0;
  /** A connection may end at any time: whose request met that is no sign of trouble. */
  #hasBeenLost = false;

  /** `draw`: in [0, 1). */
  constructor(method: string, rule: HttpRetry | undefined, draw: () => number) {
    this.isIdempotent = IDEMPOTENT.has(method);
    this.#rule = rule;
    this.#draw = draw;
  }

  /** Milliseconds until then; `undefined`: not again. */
  again(failure: TryFailure): number | undefined {
    const { kind } = failure;
    // All calls of gRPC are POST: whoever names a status says that such calls may be made again.
    const mayHaveBegun = kind !== "refused" && kind !== "unreachable" && kind !== "grpc";
    if (mayHaveBegun && !this.isIdempotent) return undefined;
    if ((kind === "lost" || kind === "refused") && !this.#hasBeenLost) {
      this.#hasBeenLost = true;
      return 0;
    }
    const rule = this.#rule;
    if (!rule || this.#retries >= rule.attempts || !isMeant(rule, failure)) return undefined;
    return this.#backoff(rule);
  }

  /**
   * "unsuccessful backend requests are not retried before the configured minimum duration" (HTTPRouteRetry): that, and
   * up to twice, four times, eight times as much, so that those who failed together do not come back together.
   */
  #backoff({ backoffMs, maxBackoffMs }: HttpRetry): number {
    this.#retries += 1;
    const most = Math.max(backoffMs, Math.min(backoffMs * 2 ** this.#retries, maxBackoffMs));
    return Math.round(backoffMs + this.#draw() * (most - backoffMs));
  }
}

function isMeant({ codes, grpcCodes, on }: HttpRetry, failure: TryFailure): boolean {
  switch (failure.kind) {
    case "status":
      return codes.includes(failure.status);
    case "grpc":
      return grpcCodes.includes(failure.status);
    case "lost":
    case "reset":
    case "refused":
    case "late":
    case "unreachable":
      return on.includes(CAUSES[failure.kind]);
  }
}

const CAUSES: Readonly<Record<Exclude<TryFailure["kind"], "status" | "grpc">, RetryCause>> = {
  lost: "reset",
  reset: "reset",
  refused: "refused",
  late: "late",
  unreachable: "connect-failure",
};
