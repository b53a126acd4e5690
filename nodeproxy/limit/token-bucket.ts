/**
 * A bucket of `burst` tokens, full at first, into which `requests` flow evenly in each window; a request takes one. In
 * whole numbers, so that nothing is gained by rounding.
 */
import type { RateQuota } from "../../core/model/rate-limit.ts";
import type { Meter } from "./meter.ts";

export class TokenBucket implements Meter {
  readonly #requests: number;
  readonly #windowMs: number;
  /** In parts of a token: `windowMs` are one, and each millisecond brings `requests`. */
  readonly #most: number;
  #parts: number;
  #sinceMs = 0;

  constructor({
    requests,
    windowMs,
    burst,
  }: Extract<RateQuota, { readonly kind: "token_bucket" }>) {
    this.#requests = requests;
    this.#windowMs = windowMs;
    this.#most = burst * windowMs;
    this.#parts = this.#most;
  }

  waitMs(nowMs: number): number {
    this.#fill(nowMs);
    return Math.max(0, Math.ceil((this.#windowMs - this.#parts) / this.#requests));
  }

  take(nowMs: number): void {
    this.#fill(nowMs);
    this.#parts -= this.#windowMs;
  }

  #fill(nowMs: number): void {
    const flown = (nowMs - this.#sinceMs) * this.#requests;
    this.#parts = Math.min(this.#most, this.#parts + flown);
    this.#sinceMs = nowMs;
  }
}
