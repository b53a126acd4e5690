/**
 * Each caller always to the same member, by one look into a table (Eisenbud et al., "Maglev", NSDI 2016, 3.4).
 *
 * More even than a ring; when the membership changes, a few callers of other members move as well.
 */
import { hash32 } from "./hash.ts";
import { type Ask, firstAccepted, MAX_SLOTS, type Picker } from "./picker.ts";

export class Maglev implements Picker {
  readonly #slots: Int32Array;
  readonly #count: number;

  /** `tableSize` is a prime, well above the number of members. */
  constructor(keys: readonly string[], tableSize: number) {
    this.#count = keys.length;
    this.#slots = keys.length === 0 ? new Int32Array(0) : populated(keys, tableSize);
  }

  pick(ask: Ask): number {
    const { length } = this.#slots;
    if (length === 0) return -1;
    const start = ask.callerHash % length;
    for (let step = 0; step < Math.min(length, MAX_SLOTS); step += 1) {
      const index = this.#slots[(start + step) % length] ?? 0;
      if (ask.accepts(index)) return index;
    }
    return firstAccepted(ask, ask.callerHash % this.#count, this.#count);
  }
}

/** Members take turns, each its next preferred slot that is still free; sorted, so that every node has one table. */
function populated(keys: readonly string[], size: number): Int32Array {
  const slots = new Int32Array(size).fill(-1);
  const order = [...keys.keys()].sort((a, b) => ((keys[a] ?? "") < (keys[b] ?? "") ? -1 : 1));
  // The next slot of each: (offset + j × skip) mod size, which visits all of them since size is a prime.
  const next = Int32Array.from(order, (index) => hash32(keys[index] ?? "") % size);
  const skip = Int32Array.from(order, (index) => {
    return (hash32(keys[index] ?? "", 0x5bd1e995) % (size - 1)) + 1;
  });
  let filled = 0;
  for (;;) {
    for (let turn = 0; turn < order.length; turn += 1) {
      let slot = next[turn] ?? 0;
      while (slots[slot] !== -1) slot = (slot + (skip[turn] ?? 1)) % size;
      slots[slot] = order[turn] ?? 0;
      next[turn] = (slot + (skip[turn] ?? 1)) % size;
      filled += 1;
      if (filled === size) return slots;
    }
  }
}
