/**
 * What keeps one request from making trouble worse: its place among those under way to the Service, the circuit, and the
 * budget of what may be sent again. Tells the circuit how each try went, once.
 *
 * Which endpoint a try goes to is not asked here.
 */
import type { RouteRule } from "../../core/model/http-route.ts";
import type { HttpSettings } from "../../core/model/http-settings.ts";
import type { Lease } from "../flow/connection-facts.ts";
import { fieldOf } from "../http/http2-head.ts";
import type { ExchangeOutcome, ResponseHead } from "../http/message.ts";
import type { TryFailure } from "../http/request-way.ts";
import type { Pass } from "../resilience/breaker.ts";
import { EVENT, type ResilienceEvent } from "../resilience/events.ts";
import type { Guard } from "../resilience/guards.ts";
import { RequestRetries, retryRule } from "../resilience/request-retries.ts";
import { isServiceFault, isServiceFaultOfGrpc } from "../resilience/service-fault.ts";
import type { Resilience } from "./resilience.ts";

export interface GuardedRequest {
  /** `namespace/name`. */
  readonly service: string;
  readonly http: HttpSettings;
  readonly method: string;
  readonly rule: RouteRule | undefined;
}

export interface Admitted {
  /** Of its first try. */
  readonly pass: Pass;
  /** Among the requests of the Service. */
  readonly place: Lease;
  /** One more, where there is any. */
  anotherPlace(): Lease | undefined;
  /** For it. */
  readonly waitedMs: number;
}

/** A try that may go. */
export interface GuardedTry {
  readonly pass: Pass;
  readonly place: Lease;
}

/** Of ours, for what the Service did or did not do. */
const FAULTS: ReadonlySet<string> = new Set([
  "app_connection_lost",
  "app_protocol_error",
  "app_reset",
  "request_idle_timeout",
  "request_timeout",
  "upstream_reset",
  "upstream_response_invalid",
]);

export class RequestGuard {
  readonly http: HttpSettings;
  readonly waitedMs: number;
  readonly #resilience: Resilience;
  readonly #request: GuardedRequest;
  readonly #guard: Guard;
  readonly #retries: RequestRetries;
  readonly #admitted: Admitted;
  #place: Lease;
  /** Of the try that is under way, until the circuit is told of it. */
  #pass: Pass | undefined;

  constructor(resilience: Resilience, request: GuardedRequest, admitted: Admitted) {
    const { service, http, method, rule } = request;
    this.http = http;
    this.waitedMs = admitted.waitedMs;
    this.#resilience = resilience;
    this.#request = request;
    this.#guard = resilience.guards.at(service);
    this.#retries = new RequestRetries(method, retryRule(rule?.retry, http.retry), Math.random);
    this.#admitted = admitted;
    this.#place = admitted.place;
    this.#pass = admitted.pass;
    this.#guard.budget.requestBegan(http.retryBudget, performance.now());
  }

  get isIdempotent(): boolean {
    return this.#retries.isIdempotent;
  }

  /** Milliseconds until it is sent again; `undefined`: it is not. */
  again(failure: TryFailure): number | undefined {
    switch (failure.kind) {
      case "status":
      case "grpc":
        break;
      case "lost":
      case "reset":
      case "refused":
      case "late":
      case "unreachable":
        this.#told(true);
        break;
    }
    const waitMs = this.#retries.again(failure);
    if (waitMs === undefined) return undefined;
    this.#told(isFault(failure));
    this.#pass = this.#trySend(EVENT.retry);
    return this.#pass === undefined ? undefined : waitMs;
  }

  /** One more try beside those that are under way; `undefined`: none may go now. */
  hedge(): GuardedTry | undefined {
    const place = this.#admitted.anotherPlace();
    if (!place) return undefined;
    const pass = this.#trySend(EVENT.hedge);
    if (pass !== undefined) return { pass, place };
    place.end();
    return undefined;
  }

  /** `failure`: absent where nobody waited for it. */
  hedgeEnded({ pass, place }: GuardedTry, failure?: TryFailure): void {
    const isKnown = failure && failure.kind !== "unreachable";
    this.#tell(pass, isKnown ? isFault(failure) : undefined);
    place.end();
  }

  /** It is the request's own from here on; of the one before nothing was heard. */
  adopt({ pass, place }: GuardedTry): void {
    this.#abandon();
    this.#place.end();
    this.#pass = pass;
    this.#place = place;
  }

  /** The request's own came to nothing, and others go on. */
  left(failure: TryFailure): void {
    // Whether the endpoint was at fault for that is told already.
    if (failure.kind === "unreachable") this.#abandon();
    else this.#told(isFault(failure));
  }

  /** The answer goes on to the caller. */
  answered({ status, fields }: ResponseHead): void {
    if (this.#pass === undefined || !this.http.breaker) return;
    const grpcStatus = Number(fieldOf(fields, "grpc-status") ?? 0);
    this.#told(isServiceFault(status) || isServiceFaultOfGrpc(grpcStatus));
  }

  done({ code }: Pick<ExchangeOutcome, "code">): void {
    if (FAULTS.has(code)) this.#told(true);
    this.#abandon();
    this.#place.end();
  }

  /** `undefined`: it may not be sent. */
  #trySend(event: ResilienceEvent): Pass | undefined {
    const { http, service } = this.#request;
    const { budget, breaker } = this.#guard;
    const nowMs = performance.now();
    const pass = http.breaker ? breaker.tryPass(http.breaker, nowMs) : "closed";
    if (pass === undefined) return undefined;
    const isWithin = budget.tryTake(http.retryBudget, nowMs);
    this.#resilience.tell(service, isWithin ? event : EVENT.budgetExhausted);
    if (isWithin) return pass;
    breaker.abandoned(pass, nowMs);
    return undefined;
  }

  #told(isBad: boolean): void {
    const pass = this.#pass;
    this.#pass = undefined;
    if (pass !== undefined) this.#tell(pass, isBad);
  }

  /** `isBad`: `undefined` where nobody knows. */
  #tell(pass: Pass, isBad: boolean | undefined): void {
    const { http, service } = this.#request;
    const { breaker } = this.#guard;
    const nowMs = performance.now();
    if (isBad === undefined) breaker.abandoned(pass, nowMs);
    else if (!http.breaker) return;
    else if (!isBad) breaker.succeeded(http.breaker, pass);
    else if (breaker.failed(http.breaker, pass, nowMs)) {
      this.#resilience.tell(service, EVENT.circuitOpened);
    }
  }

  #abandon(): void {
    if (this.#pass !== undefined) this.#tell(this.#pass, undefined);
    this.#pass = undefined;
  }
}

function isFault(failure: TryFailure): boolean {
  switch (failure.kind) {
    case "status":
      return isServiceFault(failure.status);
    case "grpc":
      return isServiceFaultOfGrpc(failure.status);
    case "lost":
    case "reset":
    case "refused":
    case "late":
    case "unreachable":
      return true;
  }
}
