/**
 * Does a peer send more of what costs us and brings it nothing than any honest one would?
 *
 * A bucket for each kind: full at first, filled again as time goes on; the frame that finds it empty ends the
 * connection with ENHANCE_YOUR_CALM. The rates are far above what Weft, ztunnel and Envoy send under load.
 */
import { flood } from "./http2-error.ts";

/** Frames at once, and a second, that a peer of tunnels may send. */
export const TUNNEL_FLOODS = {
  /** Each wants an answer: CVE-2019-9512, CVE-2019-9515. */
  PING: [1_000, 100],
  SETTINGS: [100, 10],
  /** Once for each connection that an application resets; of short ones many. */
  RST_STREAM: [20_000, 10_000],
  /** Taken back before it was answered: CVE-2023-44487. */
  "RST_STREAM of a request without answer": [10_000, 1_000],
  /** We had to reset: CVE-2025-8671, and requests that are malformed. */
  "stream errors": [1_000, 10],
  /** More than were announced. */
  "streams refused": [1_000, 10],
  /** DATA without octets and without end, CVE-2019-9518. */
  "empty DATA": [1_000, 100],
  /** Two for each half window that is read. */
  WINDOW_UPDATE: [20_000, 20_000],
  /** PRIORITY and what is unknown: CVE-2019-9513, CVE-2026-48619. */
  "frames that mean nothing": [1_000, 100],
} as const satisfies Record<string, readonly [number, number]>;

export type FloodKind = keyof typeof TUNNEL_FLOODS;
export type FloodLimits = Readonly<Record<FloodKind, readonly [number, number]>>;

interface Bucket {
  left: number;
  atMs: number;
}

export class FloodGuard {
  readonly #limits: FloodLimits;
  readonly #buckets = new Map<FloodKind, Bucket>();

  constructor(limits: FloodLimits) {
    this.#limits = limits;
  }

  /** Throws `Http2Error` "http2_flood" where it was one too many. */
  count(kind: FloodKind): void {
    let bucket = this.#buckets.get(kind);
    if (!bucket) {
      bucket = { left: this.#limits[kind][0], atMs: performance.now() };
      this.#buckets.set(kind, bucket);
    }
    bucket.left -= 1;
    if (bucket.left >= 0) return;
    // The clock is looked at only where the bucket is empty: most never are.
    const [burst, perSecond] = this.#limits[kind];
    const now = performance.now();
    bucket.left += Math.min(burst, Math.floor(((now - bucket.atMs) / 1000) * perSecond));
    bucket.atMs = now;
    if (bucket.left < 0) throw flood(kind);
  }
}
