/**
 * Round robin by time: the member that has waited longest is next, so a new one is next of all.
 *
 * A doubly linked list over indexes, the longest waiting at its head: taking one and moving it to the tail
 * costs the same whatever the number of members.
 */
import type { Ask, Picker, PickState } from "./picker.ts";

export class LeastRecentlyUsed implements Picker {
  readonly #members: readonly PickState[];
  readonly #after: Int32Array;
  readonly #before: Int32Array;
  /** Index of the list's both ends. */
  readonly #anchor: number;
  #picks: number;

  constructor(members: readonly PickState[]) {
    this.#members = members;
    this.#anchor = members.length;
    this.#after = new Int32Array(members.length + 1);
    this.#before = new Int32Array(members.length + 1);
    this.#picks = members.reduce((latest, { lastPick }) => Math.max(latest, lastPick), 0);
    const waiting = members
      .map(({ lastPick }, index) => ({ lastPick, index }))
      .sort((a, b) => a.lastPick - b.lastPick);
    let last = this.#anchor;
    for (const { index } of waiting) {
      this.#join(last, index);
      last = index;
    }
    this.#join(last, this.#anchor);
  }

  pick(ask: Ask): number {
    let index = this.#after[this.#anchor] ?? this.#anchor;
    while (index !== this.#anchor && !ask.accepts(index)) {
      index = this.#after[index] ?? this.#anchor;
    }
    const member = this.#members[index];
    if (!member) return -1;
    this.#picks += 1;
    member.lastPick = this.#picks;
    this.#join(this.#before[index] ?? this.#anchor, this.#after[index] ?? this.#anchor);
    this.#join(this.#before[this.#anchor] ?? this.#anchor, index);
    this.#join(index, this.#anchor);
    return index;
  }

  #join(before: number, after: number): void {
    this.#after[before] = after;
    this.#before[after] = before;
  }
}
