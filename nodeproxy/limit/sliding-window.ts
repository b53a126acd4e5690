/**
 * At most so many within any stretch of time as long as the window. Counted in sixteenths of it, each of which counts
 * until all of it is past: never too many, and a place is free again up to a sixteenth late.
 */
import type { Meter } from "./meter.ts";

const PARTS = 16;
/** With the one that is under way. */
const SLOTS = PARTS + 1;

export class SlidingWindow implements Meter {
  readonly #requests: number;
  readonly #slotMs: number;
  /** By the number of the slot, modulo `SLOTS`. */
  readonly #counts = new Uint32Array(SLOTS);
  /** Number of the latest slot, from the clock's zero. */
  #latest = 0;
  #sum = 0;

  constructor(requests: number, windowMs: number) {
    this.#requests = requests;
    this.#slotMs = Math.ceil(windowMs / PARTS);
  }

  waitMs(nowMs: number): number {
    this.#advance(nowMs);
    if (this.#sum < this.#requests) return 0;
    let left = this.#sum;
    let slot = this.#latest - PARTS;
    while (left >= this.#requests) {
      left -= this.#at(slot);
      slot += 1;
    }
    // The first moment at which the slot before `slot` counts no more.
    return (slot + PARTS) * this.#slotMs - nowMs;
  }

  take(nowMs: number): void {
    this.#advance(nowMs);
    const index = this.#latest % SLOTS;
    this.#counts[index] = (this.#counts[index] ?? 0) + 1;
    this.#sum += 1;
  }

  #advance(nowMs: number): void {
    const now = Math.floor(nowMs / this.#slotMs);
    const first = Math.max(this.#latest + 1, now - PARTS);
    for (let slot = first; slot <= now; slot += 1) {
      this.#sum -= this.#at(slot);
      this.#counts[slot % SLOTS] = 0;
    }
    this.#latest = now;
  }

  #at(slot: number): number {
    return this.#counts[(slot + SLOTS) % SLOTS] ?? 0;
  }
}
