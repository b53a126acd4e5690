/**
 * At most so many within any stretch of time as long as the window. Counted in sixteenths of it, each of which counts
 * until all of it is past: never too many, and a place is free again up to a sixteenth late.
 */
import type { Meter } from "./meter.ts";

const PARTS = 16;
/** With the one that is under way. */
const SLOTS = PARTS + 1;
/** Of the state: the number of the latest slot, from the clock's zero; the sum; the counts by slot, modulo `SLOTS`. */
const LATEST = 0;
const SUM = 1;
const COUNTS = 2;

export class SlidingWindow implements Meter {
  readonly #requests: number;
  readonly #slotMs: number;
  readonly #state: Float64Array;

  constructor(requests: number, windowMs: number, state: Float64Array) {
    this.#requests = requests;
    this.#slotMs = Math.ceil(windowMs / PARTS);
    this.#state = state;
  }

  waitMs(nowMs: number): number {
    this.#advance(nowMs);
    return this.#sum < this.#requests ? 0 : this.#untilBelow(this.#requests, nowMs);
  }

  take(nowMs: number): void {
    this.#advance(nowMs);
    const index = COUNTS + (this.#latest % SLOTS);
    this.#state[index] = (this.#state[index] ?? 0) + 1;
    this.#state[SUM] = this.#sum + 1;
  }

  left(nowMs: number): number {
    this.#advance(nowMs);
    return this.#requests - this.#sum;
  }

  moreMs(nowMs: number): number {
    this.#advance(nowMs);
    return this.#untilBelow(this.#sum, nowMs);
  }

  idleMs(nowMs: number): number {
    this.#advance(nowMs);
    return this.#untilBelow(1, nowMs);
  }

  /** Until fewer than `count` count, if nobody else comes; 0 where they are none. */
  #untilBelow(count: number, nowMs: number): number {
    let left = this.#sum;
    if (left === 0) return 0;
    let slot = this.#latest - PARTS;
    while (left >= count) {
      left -= this.#at(slot);
      slot += 1;
    }
    // The first moment at which the slot before `slot` counts no more.
    return (slot + PARTS) * this.#slotMs - nowMs;
  }

  #advance(nowMs: number): void {
    const now = Math.floor(nowMs / this.#slotMs);
    const first = Math.max(this.#latest + 1, now - PARTS);
    for (let slot = first; slot <= now; slot += 1) {
      this.#state[SUM] = this.#sum - this.#at(slot);
      this.#state[COUNTS + (slot % SLOTS)] = 0;
    }
    this.#state[LATEST] = now;
  }

  #at(slot: number): number {
    return this.#state[COUNTS + ((slot + SLOTS) % SLOTS)] ?? 0;
  }

  get #latest(): number {
    return this.#state[LATEST] ?? 0;
  }

  get #sum(): number {
    return this.#state[SUM] ?? 0;
  }
}
