/**
 * What the streams of one connection share of its receive window: how much all of them may grow, and whether a light
 * one among them would wait behind what a bulk one may have on its way.
 *
 * Octets on their way stand in one line, whoever they belong to: no order of sending brings one past those before it.
 */

/** Of all streams of a connection together, beyond what they begin with. */
export const GROWTH = 4 << 20;
/** What a bulk stream may have on its way while light ones are about: less than a millisecond of a fast line. */
export const SHARED_WINDOW = 256 << 10;
/** For so long after a light stream's last octet the next is expected. */
const SHARED_MS = 1_000;

export class WindowPool {
  readonly #minRoundTripMs: () => number;
  #left = GROWTH;
  #lightMs = Number.NEGATIVE_INFINITY;

  /** Of the path, without what waits in queues; NaN where nobody knows. */
  constructor(minRoundTripMs: () => number) {
    this.#minRoundTripMs = minRoundTripMs;
  }

  get minRoundTripMs(): number {
    return this.#minRoundTripMs();
  }

  /** Octets of those wanted: the stream's own until they are given back. */
  lend(wanted: number): number {
    const lent = Math.min(wanted, this.#left);
    this.#left -= lent;
    return lent;
  }

  giveBack(lent: number): void {
    this.#left += lent;
  }

  /** A stream that has not grown beyond what is shared was read. */
  lightRead(): void {
    if (this.#left < GROWTH) this.#lightMs = performance.now();
  }

  /** Octets that a stream may have on its way now, if its window is larger. */
  get limit(): number {
    return performance.now() - this.#lightMs < SHARED_MS ? SHARED_WINDOW : Infinity;
  }
}
