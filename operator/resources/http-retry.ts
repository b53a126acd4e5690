/**
 * Reads `retry`, `retryBudget` and `hedge` of a TrafficPolicy's `http`: when a request is sent once more. `retry` is the
 * Gateway API's of HTTPRoute with Istio's `retryOn` as a list.
 */
import {
  DEFAULT_HTTP_SETTINGS,
  type Hedge,
  type HttpRetry,
  type RetryBudget,
  type RetryCause,
} from "../../core/model/http-settings.ts";
import { type Field, listOf, member, oneOf, refuse } from "./fields.ts";
import { GRPC_UNAVAILABLE, grpcFailure } from "./grpc-status.ts";
import { durationMember, integer, integerMember, objectMember } from "./members.ts";

// Envoy's names of them, but for the last, which is part of others there.
const CAUSES = {
  "connect-failure": "connect-failure",
  "refused-stream": "refused",
  reset: "reset",
  "per-try-timeout": "late",
} as const satisfies Readonly<Record<string, RetryCause>>;
const CAUSE_NAMES = Object.keys(CAUSES) as (keyof typeof CAUSES)[];
const DEFAULT_CAUSES: readonly RetryCause[] = ["connect-failure", "refused", "reset"];
/** Istio's by default: 503 and UNAVAILABLE. */
const DEFAULT_CODES: readonly number[] = [503];
const DEFAULT_GRPC_CODES: readonly number[] = [GRPC_UNAVAILABLE];
/** Envoy's `base_interval`; its `max_interval` is ten times as long. */
const DEFAULT_BACKOFF_MS = 25;
const MAX_ATTEMPTS = 10;
const MAX_COUNT = 1_000_000;

export function readRetry(http: Field): HttpRetry | undefined {
  const known = ["attempts", "codes", "grpcCodes", "retryOn", "backoff", "maxBackoff"];
  const field = objectMember(http, "retry", known);
  if (!field) return undefined;
  const isSaid = ["codes", "grpcCodes"].some((name) => member(field, name));
  const codes = listOf(field, "codes", (code) => integer(code, [400, 599]));
  const grpcCodes = listOf(field, "grpcCodes", grpcFailure);
  const causes = listOf(field, "retryOn", readCause);
  const backoffMs = durationMember(field, "backoff", 1) ?? DEFAULT_BACKOFF_MS;
  const maxBackoffMs = durationMember(field, "maxBackoff", 1) ?? 10 * backoffMs;
  if (maxBackoffMs < backoffMs) refuse(field, "maxBackoff must not be less than backoff");
  return {
    attempts: integerMember(field, "attempts", [1, MAX_ATTEMPTS]) ?? 2,
    codes: isSaid ? codes : DEFAULT_CODES,
    grpcCodes: isSaid ? grpcCodes : DEFAULT_GRPC_CODES,
    on: causes.length > 0 ? [...new Set(causes)] : DEFAULT_CAUSES,
    backoffMs,
    maxBackoffMs,
  };
}

function readCause(field: Field): RetryCause | undefined {
  const name = oneOf(field, CAUSE_NAMES);
  return name && CAUSES[name];
}

export function readRetryBudget(http: Field): RetryBudget {
  const { retryBudget: defaults } = DEFAULT_HTTP_SETTINGS;
  const field = objectMember(http, "retryBudget", ["percent", "interval", "minRetries"]);
  return {
    percent: integerMember(field, "percent", [0, 100]) ?? defaults.percent,
    intervalMs: durationMember(field, "interval", 1000) ?? defaults.intervalMs,
    minRetries: integerMember(field, "minRetries", [0, MAX_COUNT]) ?? defaults.minRetries,
  };
}

export function readHedge(http: Field): Hedge | undefined {
  const field = objectMember(http, "hedge", ["delay", "attempts"]);
  if (!field) return undefined;
  const delayMs = durationMember(field, "delay", 1);
  if (!member(field, "delay")) refuse(field, "delay must be given");
  return {
    delayMs: delayMs ?? 0,
    attempts: integerMember(field, "attempts", [1, MAX_ATTEMPTS]) ?? 1,
  };
}
