/**
 * Round robin in which a member of weight w comes w times as often, its turns spread evenly over the round.
 *
 * Earliest deadline first: each turn sets the member's next one 1/w later in virtual time. A binary heap
 * over indexes, so a pick is O(log n). One that is passed over loses its turn, to all others alike.
 */
import type { Ask, Picker, PickState } from "./picker.ts";

export class WeightedRoundRobin implements Picker {
  readonly #members: readonly PickState[];
  readonly #heap: Int32Array;
  /** Virtual time. */
  #now: number;

  constructor(members: readonly PickState[]) {
    this.#members = members;
    // The earliest turn that anyone still had is now; a new member has waited for nothing yet.
    const known = members.filter(({ deadline }) => deadline > 0);
    this.#now = known.reduce((least, { deadline }) => Math.min(least, deadline), Infinity);
    if (known.length === 0) this.#now = 0;
    for (const member of members) {
      const next = this.#now + 1 / member.weight;
      // A member whose weight has grown must not wait as long as its old one would have let it.
      member.deadline = member.deadline > 0 ? Math.min(member.deadline, next) : next;
    }
    this.#heap = Int32Array.from(members.keys());
    for (let at = (members.length >> 1) - 1; at >= 0; at -= 1) this.#sink(at);
  }

  pick(ask: Ask): number {
    for (let turn = 0; turn < this.#heap.length; turn += 1) {
      const index = this.#takeTurn();
      if (ask.accepts(index)) return index;
    }
    // Heavy members may have taken all these turns.
    for (let index = 0; index < this.#heap.length; index += 1) {
      if (ask.accepts(index)) return index;
    }
    return -1;
  }

  #takeTurn(): number {
    const index = this.#heap[0] ?? 0;
    const member = this.#members[index];
    if (member) {
      this.#now = member.deadline;
      member.deadline = this.#now + 1 / member.weight;
      this.#sink(0);
    }
    return index;
  }

  #sink(from: number): void {
    const heap = this.#heap;
    let at = from;
    for (;;) {
      const left = 2 * at + 1;
      const right = left + 1;
      let least = at;
      if (left < heap.length && this.#isBefore(left, least)) least = left;
      if (right < heap.length && this.#isBefore(right, least)) least = right;
      if (least === at) return;
      const moved = heap[at] ?? 0;
      heap[at] = heap[least] ?? 0;
      heap[least] = moved;
      at = least;
    }
  }

  #isBefore(a: number, b: number): boolean {
    const [i, j] = [this.#heap[a] ?? 0, this.#heap[b] ?? 0];
    const difference = this.#deadlineOf(i) - this.#deadlineOf(j);
    return difference < 0 || (difference === 0 && i < j);
  }

  #deadlineOf(index: number): number {
    return this.#members[index]?.deadline ?? Infinity;
  }
}
