/**
 * What callers are told of the limits that their request is about, with whatever it is answered: which, how much they take,
 * what is left, and when to come again. RFC 9110 10.2.3 and draft-ietf-httpapi-ratelimit-headers-10, where `q` is the
 * quota, `w` its window in seconds, `r` what is left of it and `t` the seconds until there is more.
 */
import type { RateLimit } from "../../core/model/rate-limit.ts";
import type { Admission, AppliedLimit } from "./rate-limits.ts";

const NONE: readonly string[] = [];

export function limitFields({ isRefused, applied }: Admission): readonly string[] {
  if (applied.length === 0) return NONE;
  const policies = applied.map(({ limit }) => policyOf(limit)).join(", ");
  const told = ["ratelimit-policy", policies, "ratelimit", applied.map(stateOf).join(", ")];
  if (!isRefused) return told;
  const waitMs = Math.max(...applied.map((each) => each.waitMs));
  return ["retry-after", `${seconds(waitMs)}`, ...told];
}

/** A name needs no escape: it is a DNS label. */
function policyOf({ name, quota }: RateLimit): string {
  return `"${name}";q=${quota.requests};w=${seconds(quota.windowMs)}`;
}

function stateOf({ limit, left, moreMs }: AppliedLimit): string {
  const state = `"${limit.name}";r=${left}`;
  return moreMs === 0 ? state : `${state};t=${seconds(moreMs)}`;
}

function seconds(ms: number): number {
  return Math.ceil(ms / 1000);
}
