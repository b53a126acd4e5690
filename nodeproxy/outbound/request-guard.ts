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
import type { Pass } from "../resilience/breaker.ts";
import { EVENT } from "../resilience/events.ts";
import type { Guard } from "../resilience/guards.ts";
import { type Failure, RequestRetries, retryRule } from "../resilience/request-retries.ts";
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
  /** Among the requests of the Service; `undefined` where they are not counted. */
  readonly place: Lease | undefined;
  /** For it. */
  readonly waitedMs: number;
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
  readonly #place: Lease | undefined;
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
    this.#place = admitted.place;
    this.#pass = admitted.pass;
    this.#guard.budget.requestBegan(http.retryBudget, performance.now());
  }

  get isIdempotent(): boolean {
    return this.#retries.isIdempotent;
  }

  /** Milliseconds until it is sent again; `undefined`: it is not. */
  again(failure: Failure): number | undefined {
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
    return this.#maySendAgain() ? waitMs : undefined;
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
    this.#place?.end();
  }

  #maySendAgain(): boolean {
    const { http, service } = this.#request;
    const { budget, breaker } = this.#guard;
    const nowMs = performance.now();
    const pass = http.breaker ? breaker.tryPass(http.breaker, nowMs) : "closed";
    if (pass === undefined) return false;
    const isWithin = budget.tryTake(http.retryBudget, nowMs);
    this.#resilience.tell(service, isWithin ? EVENT.retry : EVENT.budgetExhausted);
    this.#pass = pass;
    if (!isWithin) this.#abandon();
    return isWithin;
  }

  #told(isBad: boolean): void {
    const { http, service } = this.#request;
    const pass = this.#pass;
    this.#pass = undefined;
    if (pass === undefined || !http.breaker) return;
    const { breaker } = this.#guard;
    if (!isBad) breaker.succeeded(http.breaker, pass);
    else if (breaker.failed(http.breaker, pass, performance.now())) {
      this.#resilience.tell(service, EVENT.circuitOpened);
    }
  }

  #abandon(): void {
    if (this.#pass !== undefined) this.#guard.breaker.abandoned(this.#pass, performance.now());
    this.#pass = undefined;
  }
}

function isFault(failure: Failure): boolean {
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
