/**
 * May a request go to its Service now? The faults that its TrafficPolicy asks for first, then the circuit, then a place
 * among the requests that are under way, which may have to be waited for.
 */
import type { RouteRule } from "../../core/model/http-route.ts";
import type { FaultAbort, HttpSettings } from "../../core/model/http-settings.ts";
import {
  type ConnectionLimits,
  DEFAULT_TRAFFIC_SETTINGS,
} from "../../core/model/traffic-settings.ts";
import type { Lease } from "../flow/connection-facts.ts";
import { drawFault } from "../resilience/draw-fault.ts";
import { EVENT } from "../resilience/events.ts";
import type { ServiceCall } from "./choose-upstream.ts";
import { serviceNameOf } from "./open-for-request.ts";
import type { OutboundPod } from "./outbound-pod.ts";
import { type GuardedRequest, RequestGuard } from "./request-guard.ts";

export type Admission =
  | { readonly kind: "admitted"; readonly guard: RequestGuard }
  | {
      readonly kind: "refused";
      readonly status: number;
      readonly reason: string;
      /** Where it is not the one that the status stands for. */
      readonly grpcStatus?: number;
    };

export interface AskedCall {
  readonly call: ServiceCall;
  readonly method: string;
  readonly rule: RouteRule | undefined;
}

/** Promised only where it has to wait. */
export function admitRequest(pod: OutboundPod, asked: AskedCall): Admission | Promise<Admission> {
  const request = guardedRequest(pod, asked);
  const { http, service } = request;
  const fault = drawFault(http.fault, Math.random);
  if (!fault) return admitSound(pod, request);
  const { delayMs, abort } = fault;
  if (delayMs > 0) pod.resilience.tell(service, EVENT.faultDelayed);
  if (abort) pod.resilience.tell(service, EVENT.faultAborted);
  const answer = abort && abortWith(abort);
  if (delayMs > 0) return admitDelayed(pod, request, { delayMs, answer });
  return answer ?? admitSound(pod, request);
}

/** A copy never waits, meets no fault, and goes once. A text says why it does not go. */
export function admitMirror(pod: OutboundPod, asked: AskedCall): RequestGuard | string {
  const { http, ...request } = guardedRequest(pod, asked);
  const once = { ...request, http: { ...http, retry: undefined } };
  if (!hasPlace(pod, once)) return "requests_exhausted";
  const admission = admitWith(pod, once, 0);
  return admission.kind === "admitted" ? admission.guard : admission.reason;
}

function guardedRequest({ view }: OutboundPod, { call, method, rule }: AskedCall): GuardedRequest {
  const { http } = view.trafficOf(call.service)?.settings ?? DEFAULT_TRAFFIC_SETTINGS;
  return { service: serviceNameOf(call), http, method, rule };
}

function abortWith({ status, grpcStatus }: FaultAbort): Admission {
  const told = grpcStatus === undefined ? {} : { grpcStatus };
  return { kind: "refused", status, reason: "fault_injected", ...told };
}

async function admitDelayed(
  pod: OutboundPod,
  request: GuardedRequest,
  { delayMs, answer }: { readonly delayMs: number; readonly answer: Admission | undefined },
): Promise<Admission> {
  await new Promise((resolve) => setTimeout(resolve, delayMs));
  return answer ?? admitSound(pod, request);
}

function admitSound(pod: OutboundPod, request: GuardedRequest): Admission | Promise<Admission> {
  return hasPlace(pod, request) ? admitWith(pod, request, 0) : admitLater(pod, request);
}

async function admitLater(pod: OutboundPod, request: GuardedRequest): Promise<Admission> {
  const { http, service, rule } = request;
  const sinceMs = performance.now();
  if (http.breaker && pod.resilience.guards.at(service).breaker.isOpen(sinceMs)) return OPEN;
  const { pendingTimeoutMs } = http.limits;
  const requestTimeoutMs = rule?.requestTimeoutMs || http.requestTimeoutMs;
  const isShorter = requestTimeoutMs > 0 && requestTimeoutMs < pendingTimeoutMs;
  const waitMs = isShorter ? requestTimeoutMs : pendingTimeoutMs;
  const end = await pod.slots.wait(placesOf(service), limitsOf(http, waitMs));
  switch (end) {
    case "taken":
      return admitWith(pod, request, performance.now() - sinceMs);
    case "service_connections_exhausted":
      return { kind: "refused", status: 503, reason: "requests_exhausted" };
    case "service_pending_timeout":
      if (isShorter) return LATE;
      return { kind: "refused", status: 503, reason: "requests_pending_timeout" };
  }
}

/** Where places are counted it has one. */
function admitWith(pod: OutboundPod, request: GuardedRequest, waitedMs: number): Admission {
  const { http, service } = request;
  const { resilience, slots } = pod;
  const place: Lease = {
    end: http.limits.maxRequests > 0 ? () => slots.release(placesOf(service)) : nothing,
  };
  const { breaker } = resilience.guards.at(service);
  const pass = http.breaker ? breaker.tryPass(http.breaker, performance.now()) : "closed";
  if (pass !== undefined) {
    const guard = new RequestGuard(resilience, request, {
      pass,
      place,
      waitedMs,
      anotherPlace: () => (hasPlace(pod, request) ? place : undefined),
    });
    return { kind: "admitted", guard };
  }
  place.end();
  return OPEN;
}

function hasPlace({ slots }: OutboundPod, { http, service }: GuardedRequest): boolean {
  return http.limits.maxRequests === 0 || slots.tryTake(placesOf(service), limitsOf(http, 0));
}

const OPEN: Admission = { kind: "refused", status: 503, reason: "circuit_open" };
/** To gRPC: DEADLINE_EXCEEDED. */
const LATE: Admission = {
  kind: "refused",
  status: 504,
  reason: "request_timeout",
  grpcStatus: 4,
};

function nothing(): void {}

/** No Service is named so. */
function placesOf(service: string): string {
  return `requests ${service}`;
}

function limitsOf({ limits }: HttpSettings, pendingTimeoutMs: number): ConnectionLimits {
  const { maxRequests, maxPending } = limits;
  return {
    maxConnections: maxRequests,
    maxConnectionsPerEndpoint: 0,
    maxPending,
    pendingTimeoutMs,
  };
}
