/** What every limiter is: a count of requests of one key, by time that is handed in. */
import type { RateQuota } from "../../core/model/rate-limit.ts";
import { FixedWindow } from "./fixed-window.ts";
import { SlidingWindow } from "./sliding-window.ts";
import { TokenBucket } from "./token-bucket.ts";

/** Times are whole milliseconds of a clock that never goes back. */
export interface Meter {
  /** How long until one more request may pass; 0: now. */
  waitMs(nowMs: number): number;
  /** Counts one. Only at a time for which `waitMs` says 0. */
  take(nowMs: number): void;
}

export function createMeter(quota: RateQuota): Meter {
  switch (quota.kind) {
    case "fixed_window":
      return new FixedWindow(quota.requests, quota.windowMs);
    case "sliding_window":
      return new SlidingWindow(quota.requests, quota.windowMs);
    case "token_bucket":
      return new TokenBucket(quota);
  }
}
