/**
 * How many octets a peer may still send, for one stream or for the whole connection (RFC 9113 5.2, 6.9).
 *
 * A stream begins small and grows as it is read, so that a thousand readers that stall hold little and one
 * that does not gets the whole line. What all streams together may grow is bounded in a connection:
 *
 *   100 streams × STREAM_WINDOW + GROWTH < CONNECTION_WINDOW
 *
 * so that readers that stall never take the connection's window from those that read. While light streams share
 * the connection with a bulk one, it is told of less than it has: what is on its way stands before them.
 */
import { SHARED_WINDOW, type WindowPool } from "./window-pool.ts";

/** Announced as SETTINGS_INITIAL_WINDOW_SIZE. */
export const STREAM_WINDOW = 64 << 10;
/** One stream's largest: 80 MB/s over a round trip of 50 ms. */
const MAX_STREAM_WINDOW = 4 << 20;
export const CONNECTION_WINDOW = 12 << 20;
export const STREAM_PARTS = 2;
/** Most of the window may be held by readers that stall: what the others read must come back before it is all used. */
export const CONNECTION_PARTS = 16;

/** Windows that are read before a rate is taken: three round trips at least. */
const SAMPLE_WINDOWS = 4;
/** Smaller ones cost a fast stream CPU: each turn of the loop then reads and writes little. */
const BATCH_WINDOW = 1 << 20;
/** Fast is what empties its window in less. */
const BATCH_MS = 10;
/** Where the round trip is not known: twice the window must bring so much, or it was not what held the stream back. */
const WORTHWHILE = 1.3;

export class ReceiveWindow {
  readonly #first: number;
  #size: number;
  /** Octets that the peer may send before it is told of more. */
  #left: number;
  /** Octets read, of which the peer was not told. */
  #read = 0;
  #sampled = 0;
  #sampledSinceMs = 0;
  /** Octets a millisecond, the best so far. */
  #rate = 0;

  /** Parts of the window of which the peer is told one at a time. */
  readonly #parts: number;

  constructor(size: number, parts: number) {
    this.#first = size;
    this.#size = size;
    this.#parts = parts;
    this.#left = size;
  }

  /** False where the peer sends more than it may: FLOW_CONTROL_ERROR. */
  take(octets: number): boolean {
    this.#left -= octets;
    return this.#left >= 0;
  }

  /**
   * Octets have been read. Returns those that the peer is to be told of: a part of the window or more, else 0.
   * `pool`: of a stream's window.
   */
  release(octets: number, pool?: WindowPool): number {
    this.#read += octets;
    const size = this.#sizeNow(pool);
    const increment = Math.min(this.#read, size - this.#left);
    if (increment * this.#parts < size) return 0;
    this.#left += increment;
    this.#read -= increment;
    return increment;
  }

  /** What the peer may have on its way: all of it, or less while light streams wait behind that. */
  #sizeNow(pool: WindowPool | undefined): number {
    if (!pool) return this.#size;
    if (this.#size > SHARED_WINDOW) return Math.min(this.#size, pool.limit);
    pool.lightRead();
    return this.#size;
  }

  /** Octets by which it is larger than it was at first. */
  get grown(): number {
    return this.#size - this.#first;
  }

  /**
   * Grows where a larger window would bring more, by what the pool lends; asked with each release. Returns by how
   * much. A larger one than the line needs only fills its buffers, where all the other streams wait behind it.
   */
  grow(increment: number, pool: WindowPool): number {
    if (this.#sampledSinceMs === 0) {
      this.#sampledSinceMs = performance.now();
      return 0;
    }
    this.#sampled += increment;
    if (this.#sampled < this.#size * SAMPLE_WINDOWS) return 0;
    const now = performance.now();
    const rate = this.#sampled / (now - this.#sampledSinceMs);
    this.#sampled = 0;
    this.#sampledSinceMs = now;
    const wanted = Math.min(this.#size, MAX_STREAM_WINDOW - this.#size);
    if (wanted === 0 || !this.#isTooSmall(rate, pool)) return 0;
    this.#rate = rate;
    const growth = pool.lend(wanted);
    this.#size += growth;
    this.#left += growth;
    return growth;
  }

  #isTooSmall(rate: number, pool: WindowPool): boolean {
    if (this.#size < BATCH_WINDOW && rate * BATCH_MS >= this.#size) return true;
    const { minRoundTripMs } = pool;
    if (Number.isNaN(minRoundTripMs)) return rate >= this.#rate * WORTHWHILE;
    return rate * minRoundTripMs * 2 >= this.#size;
  }
}
