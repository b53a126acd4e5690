/** Reads `rateLimits` of a TrafficPolicy: how many requests each pod behind its Services takes. */
import {
  MAX_RATE_REQUESTS,
  MAX_RATE_WINDOW_MS,
  MIN_RATE_WINDOW_MS,
  type RateKey,
  type RateLimit,
  type RateQuota,
} from "../../core/model/rate-limit.ts";
import { type Field, isObjectOf, listOf, member, refuse, text } from "./fields.ts";
import { durationMember, integer, integerMember, objectMember, onlyMember } from "./members.ts";
import { matching, parseHeaderName, parseRateMatch } from "./rate-match.ts";

export interface RateLimitRule
  extends Pick<
    RateLimit,
    "name" | "pathPrefix" | "methods" | "hosts" | "headers" | "by" | "quota"
  > {
  /** Of the Services; empty: all of them. */
  readonly servicePorts: readonly number[];
}

const QUOTAS = ["fixedWindow", "slidingWindow", "tokenBucket"] as const;
const KEYS = ["identity", "header", "claim"] as const;
const NAME = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;
const MAX_LIMITS = 16;
const MAX_CLAIM = 8;

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
  if (!isObjectOf(item, ["name", "ports", "match", "by", ...QUOTAS])) return undefined;
  const name = required(item, "name", NAME, "must be lower case letters, digits and -");
  const match = parseRateMatch(item);
  const quota = parseQuota(item);
  const by = parseKey(item);
  const servicePorts = listOf(item, "ports", (port) => integer(port, [1, 65_535]));
  if (name === undefined || !quota || !by || !match) return undefined;
  return { name, servicePorts, ...match, by, quota };
}

function parseQuota(item: Field): RateQuota | undefined {
  const kind = onlyMember(item, QUOTAS);
  if (kind === undefined) return undefined;
  const isBucket = kind === "tokenBucket";
  const quota = objectMember(item, kind, ["requests", "window", ...(isBucket ? ["burst"] : [])]);
  if (!quota) return undefined;
  const requests = count(quota, "requests");
  const windowMs = parseWindow(quota);
  if (requests === undefined || windowMs === undefined) return undefined;
  if (!isBucket) {
    return { kind: kind === "fixedWindow" ? "fixed_window" : "sliding_window", requests, windowMs };
  }
  const burst = member(quota, "burst") ? count(quota, "burst") : requests;
  return burst === undefined ? undefined : { kind: "token_bucket", requests, windowMs, burst };
}

function count(quota: Field, name: string): number | undefined {
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

function parseKey(item: Field): RateKey | undefined {
  const by = member(item, "by");
  if (!by) return { kind: "everybody" };
  if (!isObjectOf(by, KEYS)) return undefined;
  switch (onlyMember(by, KEYS)) {
    case "identity":
      return member(by, "identity")?.value === true
        ? { kind: "identity" }
        : refuse(
            { ...by, path: `${by.path}.identity` },
            "must be true: leave the field out instead",
          );
    case "header": {
      const field = member(by, "header");
      const name = field && parseHeaderName(field);
      return name === undefined ? undefined : { kind: "header", name };
    }
    case "claim":
      return parseClaim(by);
    case undefined:
      return undefined;
  }
}

function parseClaim(by: Field): RateKey | undefined {
  const path = listOf(by, "claim", text);
  if (path.length > MAX_CLAIM) return refuse(by, `claim must be at most ${MAX_CLAIM} names`);
  return path.length === 0 ? undefined : { kind: "claim", path };
}

function required(
  parent: Field,
  name: string,
  ...[pattern, message]: [RegExp, string]
): string | undefined {
  const field = member(parent, name);
  return field ? matching(field, pattern, message) : refuse(parent, `${name} must be given`);
}
