/**
 * What a caller is told whose request exceeds limits: which, how much they take, and when to come again. RFC 9110 10.2.3
 * and draft-ietf-httpapi-ratelimit-headers-10, where `q` is the quota, `w` its window in seconds, `r` what is left of
 * it and `t` the seconds until there is more.
 */
import type { RateLimit } from "../../core/model/rate-limit.ts";
import type { Exceeded } from "./rate-limits.ts";

export function limitFields(exceeded: readonly Exceeded[]): readonly string[] {
  const waits = exceeded.map(({ waitMs }) => seconds(waitMs));
  const left = exceeded.map(({ limit, waitMs }) => `"${limit.name}";r=0;t=${seconds(waitMs)}`);
  return [
    "retry-after",
    String(Math.max(...waits)),
    "ratelimit-policy",
    exceeded.map(({ limit }) => policyOf(limit)).join(", "),
    "ratelimit",
    left.join(", "),
  ];
}

/** A name needs no escape: it is a DNS label. */
function policyOf({ name, quota }: RateLimit): string {
  return `"${name}";q=${quota.requests};w=${seconds(quota.windowMs)}`;
}

function seconds(ms: number): number {
  return Math.ceil(ms / 1000);
}
