/**
 * A bucket of `burst` tokens, full at first, into which `requests` flow evenly in each window; a request takes one. In
 * whole numbers, so that nothing is gained by rounding.
 */
import type { RateQuota } from "../../core/model/rate-limit.ts";
import type { Meter } from "./meter.ts";

/** Of the state: parts of a token that lack to a full bucket, and when that was so. */
const LACK = 0;
const SINCE = 1;

export class TokenBucket implements Meter {
  readonly #requests: number;
  /** In parts of a token: `windowMs` are one, and each millisecond brings `requests`. */
  readonly #windowMs: number;
  readonly #most: number;
  readonly #state: Float64Array;

  constructor(
    { requests, windowMs, burst }: Extract<RateQuota, { readonly kind: "token_bucket" }>,
    state: Float64Array,
  ) {
    this.#requests = requests;
    this.#windowMs = windowMs;
    this.#most = burst * windowMs;
    this.#state = state;
  }

  waitMs(nowMs: number): number {
    const parts = this.#partsAt(nowMs);
    return Math.max(0, Math.ceil((this.#windowMs - parts) / this.#requests));
  }

  take(nowMs: number): void {
    this.#state[LACK] = this.#lackAt(nowMs) + this.#windowMs;
    this.#state[SINCE] = nowMs;
  }

  left(nowMs: number): number {
    return Math.floor(this.#partsAt(nowMs) / this.#windowMs);
  }

  moreMs(nowMs: number): number {
    const parts = this.#partsAt(nowMs);
    if (parts === this.#most) return 0;
    return Math.ceil((this.#windowMs - (parts % this.#windowMs)) / this.#requests);
  }

  idleMs(nowMs: number): number {
    return Math.ceil(this.#lackAt(nowMs) / this.#requests);
  }

  #partsAt(nowMs: number): number {
    return this.#most - this.#lackAt(nowMs);
  }

  #lackAt(nowMs: number): number {
    const flown = (nowMs - (this.#state[SINCE] ?? 0)) * this.#requests;
    return Math.max(0, (this.#state[LACK] ?? 0) - flown);
  }
}
