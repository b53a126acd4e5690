/** What every limiter is: a count of requests of one key, by time that is handed in, in numbers that may be shared. */
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
  /** How many may pass now. */
  left(nowMs: number): number;
  /** Until more may, if nobody else comes; 0 where all that it ever takes may. */
  moreMs(nowMs: number): number;
  /** Until it is as if nobody had ever come, if nobody else does. */
  idleMs(nowMs: number): number;
}

/** Numbers of a meter's state: a sliding window's are the most. */
export const STATE_NUMBERS = 19;

/** `state`: as another meter of the same quota left it, or zeros. */
export function createMeter(
  quota: RateQuota,
  state: Float64Array = new Float64Array(STATE_NUMBERS),
): Meter {
  switch (quota.kind) {
    case "fixed_window":
      return new FixedWindow(quota.requests, quota.windowMs, state);
    case "sliding_window":
      return new SlidingWindow(quota.requests, quota.windowMs, state);
    case "token_bucket":
      return new TokenBucket(quota, state);
  }
}
