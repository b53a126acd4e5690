/**
 * How long one endpoint's answers take, as a moving mean that jumps up with a slow answer at once and comes down slowly
 * ("peak EWMA", as in Finagle and Linkerd). Pure; the time is handed in.
 *
 * Never says whether an endpoint works: one that fails fast looks fast, and is for `outliers.ts` to find.
 */

/** Of what was observed so long ago 1/e is left. Linkerd's default. */
const DECAY_MS = 10_000;
/** Of an endpoint that has not answered yet and is being asked: more than of any that has (Finagle's penalty). */
const UNKNOWN = 1e12;

export class Latency {
  #meanMs = 0;
  #atMs = Number.NEGATIVE_INFINITY;

  /** An answer came after so long. */
  observe(tookMs: number, nowMs: number): void {
    const now = Math.max(nowMs, this.#atMs);
    const kept = Math.exp((this.#atMs - now) / DECAY_MS);
    this.#meanMs = tookMs > this.#meanMs ? tookMs : this.#meanMs * kept + tookMs * (1 - kept);
    this.#atMs = now;
  }

  /**
   * What one request more costs there: the mean, times all that would be under way. While nothing is observed the mean
   * falls, so that one slow answer does not keep an endpoint out for good.
   */
  cost(active: number, nowMs: number): number {
    // One request finds out, and others wait for what it says.
    if (this.#atMs === Number.NEGATIVE_INFINITY) return active === 0 ? 0 : UNKNOWN + active;
    const agoMs = Math.max(0, nowMs - this.#atMs);
    return this.#meanMs * Math.exp(-agoMs / DECAY_MS) * (active + 1);
  }
}
