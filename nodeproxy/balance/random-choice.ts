/** Each acceptable member with the same chance. */
import { type Ask, firstAccepted, type Picker } from "./picker.ts";

/** Draws before looking through all: few members are ever unacceptable, and each draw is fair. */
const DRAWS = 8;

export class RandomChoice implements Picker {
  readonly #count: number;

  constructor(count: number) {
    this.#count = count;
  }

  pick(ask: Ask): number {
    return drawn(ask, this.#count);
  }
}

/** -1 where none is acceptable. */
export function drawn(ask: Ask, count: number): number {
  for (let draw = 0; draw < DRAWS && count > 0; draw += 1) {
    const index = Math.floor(ask.random() * count);
    if (ask.accepts(index)) return index;
  }
  return firstAccepted(ask, Math.floor(ask.random() * count), count);
}
