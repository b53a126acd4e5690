/**
 * Each caller always to the same member: members are points on a ring of hashes, a caller goes to the next
 * point after its own. With a member only the callers that were its own move, or become so.
 *
 * Points are sorted in one typed array, found by bisection: O(log n).
 */
import { hash32, mix32 } from "./hash.ts";
import { type Ask, firstAccepted, MAX_SLOTS, type Picker } from "./picker.ts";

/** More points are more even (160 a member: within some 10 %) and cost memory and time to sort. */
const POINTS = 160;
const POINTS_OF_MANY = 16;
/** From so many members on a ring of `POINTS` each would take milliseconds to build. */
const MANY = 512;
/** Indexes and hashes share one sortable number: hash × 2^20 + index stays below 2^53. */
const INDEX_RANGE = 0x10_0000;

export class HashRing implements Picker {
  readonly #points: Float64Array;
  readonly #count: number;

  constructor(keys: readonly string[]) {
    const each = keys.length <= MANY ? POINTS : POINTS_OF_MANY;
    this.#count = keys.length;
    this.#points = new Float64Array(keys.length * each);
    for (const [index, key] of keys.entries()) {
      const seed = hash32(key);
      for (let point = 0; point < each; point += 1) {
        const hash = mix32(seed + Math.imul(point, 0x9e3779b1));
        this.#points[index * each + point] = hash * INDEX_RANGE + index;
      }
    }
    this.#points.sort();
  }

  pick(ask: Ask): number {
    const { length } = this.#points;
    if (length === 0) return -1;
    const start = this.#findAfter(ask.callerHash);
    // The same member is asked again for each of its points; what is not acceptable is seldom.
    for (let step = 0; step < Math.min(length, MAX_SLOTS); step += 1) {
      const index = (this.#points[(start + step) % length] ?? 0) % INDEX_RANGE;
      if (ask.accepts(index)) return index;
    }
    return firstAccepted(ask, ask.callerHash % this.#count, this.#count);
  }

  /** Position of the first point at or after the hash, going round. */
  #findAfter(hash: number): number {
    const wanted = hash * INDEX_RANGE;
    let low = 0;
    let high = this.#points.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#points[middle] ?? 0) < wanted) low = middle + 1;
      else high = middle;
    }
    return low === this.#points.length ? 0 : low;
  }
}
