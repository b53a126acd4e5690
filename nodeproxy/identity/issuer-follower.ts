/**
 * When is a leaf asked for anew because another certificate signs leaves now? Spread over some seconds, so that a
 * whole mesh does not ask at once, and with a back-off where the answer is by the older one again: a replica of the
 * operator may lag. Asks nobody itself.
 */
import { backoffDelayMs } from "../../core/process/backoff.ts";

const SPREAD_MS = 10_000;
const BACKOFF = { minMs: 1_000, maxMs: 15_000 };

interface Following {
  readonly wanted: string;
  readonly atMs: number;
  readonly answers: number;
}

export class IssuerFollower {
  readonly #random: () => number;
  #following: Following | undefined;

  /** `random` gives [0, 1). Times are of the clock of `performance.now()`, which never jumps. */
  constructor(random: () => number) {
    this.#random = random;
  }

  /** `Infinity` where there is nothing to follow: the leaf is by the wanted issuer, or none is named (""). */
  dueInMs(issuer: string, wanted: string): number {
    if (wanted === "" || issuer === wanted) {
      this.#following = undefined;
      return Infinity;
    }
    if (this.#following?.wanted !== wanted) {
      const atMs = performance.now() + this.#random() * SPREAD_MS;
      this.#following = { wanted, atMs, answers: 0 };
    }
    return this.#following.atMs - performance.now();
  }

  /** A new leaf has come, by this issuer. */
  answered(issuer: string, wanted: string): void {
    if (issuer === wanted || this.#following?.wanted !== wanted) return;
    const { answers } = this.#following;
    const delayMs = backoffDelayMs(BACKOFF, answers, this.#random());
    this.#following = { wanted, atMs: performance.now() + delayMs, answers: answers + 1 };
  }
}
