/**
 * What callers are told of the limits that their request is about, with whatever it is answered: which, how much they take,
 * what is left, and when to come again. RFC 9110 10.2.3 and draft-ietf-httpapi-ratelimit-headers-10, where `q` is the
 * quota, `w` its window in seconds, `r` what is left of it and `t` the seconds until there is more.
 */
import type { Admission, AppliedLimit } from "./rate-limits.ts";

const NONE: readonly string[] = [];

type Told = Pick<Admission, "isRefused" | "applied">;

export function limitFields({ isRefused, applied }: Told): readonly string[] {
  if (applied.length === 0) return NONE;
  const policies = applied.map(policyOf).join(", ");
  const told = ["ratelimit-policy", policies, "ratelimit", applied.map(stateOf).join(", ")];
  if (!isRefused) return told;
  const waitMs = Math.max(...applied.map((each) => each.waitMs));
  return ["retry-after", `${seconds(waitMs)}`, ...told];
}

/** A name needs no escape: it is a DNS label. */
function policyOf({ name, requests, windowMs }: AppliedLimit): string {
  return `"${name}";q=${requests};w=${seconds(windowMs)}`;
}

function stateOf({ name, left, moreMs }: AppliedLimit): string {
  const state = `"${name}";r=${left}`;
  return moreMs === 0 ? state : `${state};t=${seconds(moreMs)}`;
}

function seconds(ms: number): number {
  return Math.ceil(ms / 1000);
}
