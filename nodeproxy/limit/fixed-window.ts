/**
 * A window begins with a request and takes so many; the next one begins with the first request after its end. So
 * two windows that follow each other can take twice as many within one window's time.
 */
import type { Meter } from "./meter.ts";

/** Of the state, where 0 is a window that ended before time began. */
const END = 0;
const COUNT = 1;

export class FixedWindow implements Meter {
  readonly #requests: number;
  readonly #windowMs: number;
  readonly #state: Float64Array;

  constructor(requests: number, windowMs: number, state: Float64Array) {
    this.#requests = requests;
    this.#windowMs = windowMs;
    this.#state = state;
  }

  waitMs(nowMs: number): number {
    return this.left(nowMs) > 0 ? 0 : this.moreMs(nowMs);
  }

  take(nowMs: number): void {
    const state = this.#state;
    if (nowMs >= this.#endMs) {
      state[END] = nowMs + this.#windowMs;
      state[COUNT] = 0;
    }
    state[COUNT] = (state[COUNT] ?? 0) + 1;
  }

  left(nowMs: number): number {
    return nowMs >= this.#endMs ? this.#requests : this.#requests - (this.#state[COUNT] ?? 0);
  }

  moreMs(nowMs: number): number {
    return Math.max(0, this.#endMs - nowMs);
  }

  idleMs(nowMs: number): number {
    return this.moreMs(nowMs);
  }

  get #endMs(): number {
    return this.#state[END] ?? 0;
  }
}
