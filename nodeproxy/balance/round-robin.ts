/** Every member in its turn; one that is passed over gives its part to all others, not to the next alone. */
import { type Ask, firstAccepted, type Picker } from "./picker.ts";

export class RoundRobin implements Picker {
  readonly #count: number;
  #next: number;

  /** `turn` goes on from the list before, so that a change of membership does not begin at the first again. */
  constructor(count: number, turn: number) {
    this.#count = count;
    this.#next = count === 0 ? 0 : turn % count;
  }

  get turn(): number {
    return this.#next;
  }

  pick(ask: Ask): number {
    const index = firstAccepted(ask, this.#next, this.#count);
    if (index >= 0) this.#next = (index + 1) % this.#count;
    return index;
  }
}
