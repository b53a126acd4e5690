/**
 * How many octets a peer may still send, for one stream or for the whole connection (RFC 9113 5.2, 6.9).
 *
 * A stream begins small and grows as it is read, so that a thousand readers that stall hold little and one
 * that does not gets the whole line. What all streams together may grow is bounded in a connection:
 *
 *   100 streams × STREAM_WINDOW + GROWTH < CONNECTION_WINDOW
 *
 * so that readers that stall never take the connection's window from those that read.
 */

/** Announced as SETTINGS_INITIAL_WINDOW_SIZE. */
export const STREAM_WINDOW = 64 << 10;
/** One stream's largest: 80 MB/s over a round trip of 50 ms. */
const MAX_STREAM_WINDOW = 4 << 20;
/** Of all streams of a connection together, beyond what they begin with. */
export const GROWTH = 4 << 20;
export const CONNECTION_WINDOW = 12 << 20;
export const STREAM_PARTS = 2;
/** Most of the window may be held by readers that stall: what the others read must come back before it is all used. */
export const CONNECTION_PARTS = 16;

/** Windows that are read before a rate is taken: three round trips at least. */
const SAMPLE_WINDOWS = 4;
/** Smaller ones cost CPU, whatever the rate: each turn of the loop then reads and writes little. */
const BATCH_WINDOW = 1 << 20;
/** A window twice as large must bring so much, or it was not what held the stream back. */
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

  /** Octets have been read. Returns those that the peer is to be told of: a part of the window or more, else 0. */
  release(octets: number): number {
    this.#read += octets;
    if (this.#read * this.#parts < this.#size) return 0;
    const increment = this.#read;
    this.#left += increment;
    this.#read = 0;
    return increment;
  }

  /** Octets by which it is larger than it was at first. */
  get grown(): number {
    return this.#size - this.#first;
  }

  /**
   * Grows where a larger window would bring more, by what `lend` gives; asked with each release. Returns by how
   * much. A larger one than the line needs only fills its buffers, where all the other streams wait behind it.
   */
  grow(increment: number, lend: (wanted: number) => number): number {
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
    if (wanted === 0) return 0;
    if (this.#size >= BATCH_WINDOW && rate < this.#rate * WORTHWHILE) return 0;
    this.#rate = rate;
    const growth = lend(wanted);
    this.#size += growth;
    this.#left += growth;
    return growth;
  }
}
