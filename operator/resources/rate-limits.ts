/** Reads `rateLimits` of a TrafficPolicy: how many requests each pod behind its Services takes, or all of them together. */
import {
  MAX_RATE_REQUESTS,
  MAX_RATE_WINDOW_MS,
  MIN_RATE_WINDOW_MS,
  type RateCount,
  type RateLimit,
  type RateQuota,
} from "../../core/model/rate-limit.ts";
import { type Field, isObjectOf, listOf, member, refuse } from "./fields.ts";
import { durationMember, integer, integerMember, objectMember, onlyMember } from "./members.ts";
import { parseDescriptor, parseRateKey } from "./rate-keys.ts";
import { matching, parseRateMatch } from "./rate-match.ts";

export interface RateLimitRule
  extends Pick<RateLimit, "name" | "pathPrefix" | "methods" | "hosts" | "headers" | "count"> {
  /** Of the Services; empty: all of them. */
  readonly servicePorts: readonly number[];
}

const QUOTAS = ["fixedWindow", "slidingWindow", "tokenBucket"] as const;
const COUNTS = [...QUOTAS, "global"] as const;
const NAME = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;
const MAX_LIMITS = 16;

export function parseRateLimits(spec: Field): readonly RateLimitRule[] {
  const field = member(spec, "rateLimits");
  if (!field) return [];
  const limits = listOf(spec, "rateLimits", parseLimit);
  if (limits.length > MAX_LIMITS) refuse(field, `must be at most ${MAX_LIMITS}`);
  const names = limits.map(({ name }) => name);
  if (new Set(names).size < names.length) refuse(field, "each must have a name of its own");
  return limits;
}

function parseLimit(item: Field): RateLimitRule | undefined {
  if (!isObjectOf(item, ["name", "ports", "match", "by", ...COUNTS])) return undefined;
  const name = required(item, "name", NAME, "must be lower case letters, digits and -");
  const match = parseRateMatch(item);
  const count = parseCount(item);
  const servicePorts = listOf(item, "ports", (port) => integer(port, [1, 65_535]));
  if (name === undefined || !count || !match) return undefined;
  return { name, servicePorts, ...match, count };
}

function parseCount(item: Field): RateCount | undefined {
  const kind = onlyMember(item, COUNTS);
  if (kind === undefined) return undefined;
  if (kind === "global") {
    const by = member(item, "by");
    if (by) return refuse(by, "is not for global: its descriptor tells requests apart");
    const entries = parseDescriptor(item);
    return entries && { kind, entries };
  }
  const quota = parseQuota(item, kind);
  const by = parseRateKey(item);
  return quota && by ? { kind: "local", by, quota } : undefined;
}

function parseQuota(item: Field, kind: (typeof QUOTAS)[number]): RateQuota | undefined {
  const isBucket = kind === "tokenBucket";
  const quota = objectMember(item, kind, ["requests", "window", ...(isBucket ? ["burst"] : [])]);
  if (!quota) return undefined;
  const requests = requestsMember(quota, "requests");
  const windowMs = parseWindow(quota);
  if (requests === undefined || windowMs === undefined) return undefined;
  if (!isBucket) {
    return { kind: kind === "fixedWindow" ? "fixed_window" : "sliding_window", requests, windowMs };
  }
  const burst = member(quota, "burst") ? requestsMember(quota, "burst") : requests;
  return burst === undefined ? undefined : { kind: "token_bucket", requests, windowMs, burst };
}

function requestsMember(quota: Field, name: string): number | undefined {
  if (!member(quota, name)) return refuse(quota, `${name} must be given`);
  return integerMember(quota, name, [1, MAX_RATE_REQUESTS]);
}

function parseWindow(quota: Field): number | undefined {
  const field = member(quota, "window");
  if (!field) return refuse(quota, "window must be given");
  const windowMs = durationMember(quota, "window", MIN_RATE_WINDOW_MS);
  if (windowMs === undefined || windowMs <= MAX_RATE_WINDOW_MS) return windowMs;
  return refuse(field, "must be at most 24h");
}

function required(
  parent: Field,
  name: string,
  ...[pattern, message]: [RegExp, string]
): string | undefined {
  const field = member(parent, name);
  return field ? matching(field, pattern, message) : refuse(parent, `${name} must be given`);
}
