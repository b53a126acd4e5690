/**
 * How many requests may one node make? So many at once, and so many a second after that.
 *
 * The generic cell rate algorithm (ITU-T I.371): one number for each node, the moment by which what it
 * has used would have been due one after another. A node that is idle is forgotten.
 */

export interface RateLimits {
  readonly perSecond: number;
  readonly burst: number;
}

const FIRST_SWEEP = 1024;

export class NodeRate {
  readonly #intervalMs: number;
  readonly #toleranceMs: number;
  readonly #dueMs = new Map<string, number>();
  #sweepAt = FIRST_SWEEP;

  constructor({ perSecond, burst }: RateLimits) {
    this.#intervalMs = 1000 / perSecond;
    this.#toleranceMs = (burst - 1) * this.#intervalMs;
  }

  /** Nodes remembered. */
  get size(): number {
    return this.#dueMs.size;
  }

  /** 0 where it may, which then counts; else after how many milliseconds. `nowMs` never goes back: a wall clock would not do. */
  take(node: string, nowMs: number): number {
    const dueMs = Math.max(this.#dueMs.get(node) ?? nowMs, nowMs);
    const waitMs = dueMs - this.#toleranceMs - nowMs;
    if (waitMs > 0) return Math.ceil(waitMs);
    if (this.#dueMs.size >= this.#sweepAt) this.#sweep(nowMs);
    this.#dueMs.set(node, dueMs + this.#intervalMs);
    return 0;
  }

  #sweep(nowMs: number): void {
    for (const [node, dueMs] of this.#dueMs) if (dueMs <= nowMs) this.#dueMs.delete(node);
    this.#sweepAt = Math.max(FIRST_SWEEP, 2 * this.#dueMs.size);
  }
}
