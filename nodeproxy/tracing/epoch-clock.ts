/**
 * Time since the epoch, finer than milliseconds: two spans of one request are often less apart. Follows a clock that is
 * set.
 */

/** More than this apart from the system's own clock: that was set. */
const TOLERANCE_MS = 5;

export interface Clocks {
  /** Milliseconds since the epoch. */
  readonly wall: () => number;
  /** Milliseconds that never go back. */
  readonly steady: () => number;
}

const OWN: Clocks = { wall: () => Date.now(), steady: () => performance.now() };

export class EpochClock {
  readonly #clocks: Clocks;
  #offset: number;

  constructor(clocks: Clocks = OWN) {
    this.#clocks = clocks;
    this.#offset = clocks.wall() - clocks.steady();
  }

  now(): number {
    const { wall, steady } = this.#clocks;
    const atMs = wall();
    const sinceMs = steady();
    if (Math.abs(this.#offset + sinceMs - atMs) > TOLERANCE_MS) this.#offset = atMs - sinceMs;
    return this.#offset + sinceMs;
  }
}
