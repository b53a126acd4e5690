/**
 * A window begins with a request and takes so many; the next one begins with the first request after its end. So
 * two windows that follow each other can take twice as many within one window's time.
 */
import type { Meter } from "./meter.ts";

export class FixedWindow implements Meter {
  readonly #requests: number;
  readonly #windowMs: number;
  #endMs = -Infinity;
  #count = 0;

  constructor(requests: number, windowMs: number) {
    this.#requests = requests;
    this.#windowMs = windowMs;
  }

  waitMs(nowMs: number): number {
    if (nowMs >= this.#endMs || this.#count < this.#requests) return 0;
    return this.#endMs - nowMs;
  }

  take(nowMs: number): void {
    if (nowMs >= this.#endMs) {
      this.#endMs = nowMs + this.#windowMs;
      this.#count = 0;
    }
    this.#count += 1;
  }
}
