/**
 * The less loaded of two members drawn at random: nearly as even as asking all, without every caller running
 * to the one that was empty a moment ago (Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing").
 * What load is, connections, requests or time, is the asker's to say.
 */
import type { Ask, Picker } from "./picker.ts";
import { drawn } from "./random-choice.ts";

export class LeastLoaded implements Picker {
  readonly #count: number;

  constructor(count: number) {
    this.#count = count;
  }

  pick(ask: Ask): number {
    const first = drawn(ask, this.#count);
    if (first < 0 || this.#count === 1) return first;
    // Of the others, so that two members are always compared.
    const step = 1 + Math.floor(ask.random() * (this.#count - 1));
    const second = (first + step) % this.#count;
    return ask.loadAt(second) < ask.loadAt(first) && ask.accepts(second) ? second : first;
  }
}
