/** Durations and sizes of the requests of one label set, as plain numbers. */
import type { PairLabels } from "./pair-labels.ts";

/** Seconds, ascending. Durations come in whole milliseconds. */
export const DURATION_BOUNDS_S: readonly number[] = [
  0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30,
];

const BOUNDS_MS = DURATION_BOUNDS_S.map((seconds) => seconds * 1000);

/** Beside those of the pair. */
export const TALLY_LABELS = ["route", "status_class", "reason"] as const;

export type TallyLabels = Readonly<Record<(typeof TALLY_LABELS)[number], string>>;

type Labels = PairLabels & TallyLabels;

/** As prom-client's registry reads them where a metric is written as text: what samples share is made text once. */
export interface TallySample {
  readonly metricName: string;
  readonly labels: { readonly le?: string };
  readonly sharedLabels: Labels;
  readonly value: number;
}

interface Measured {
  readonly durationMs: number;
  readonly requestBytes: number;
  readonly responseBytes: number;
}

export class RequestTally {
  readonly labels: Labels;
  /** Not cumulative; the last is for what took longer. */
  readonly #buckets = new Float64Array(BOUNDS_MS.length + 1);
  #sumMs = 0;
  #requestBytes = 0;
  #responseBytes = 0;

  constructor(labels: Labels) {
    this.labels = labels;
  }

  get requestBytes(): number {
    return this.#requestBytes;
  }

  get responseBytes(): number {
    return this.#responseBytes;
  }

  add({ durationMs, requestBytes, responseBytes }: Measured): void {
    const bucket = bucketOf(durationMs);
    this.#buckets[bucket] = (this.#buckets[bucket] ?? 0) + 1;
    this.#sumMs += durationMs;
    this.#requestBytes += requestBytes;
    this.#responseBytes += responseBytes;
  }

  /** As Prometheus has histograms: each bucket counts what the smaller ones do, too. */
  samples(name: string): TallySample[] {
    const sharedLabels = this.labels;
    let count = 0;
    const buckets = Array.from(this.#buckets, (more, index) => {
      count += more;
      const le = String(DURATION_BOUNDS_S[index] ?? "+Inf");
      return { metricName: `${name}_bucket`, labels: { le }, sharedLabels, value: count };
    });
    return [
      ...buckets,
      { metricName: `${name}_sum`, labels: {}, sharedLabels, value: this.#sumMs / 1000 },
      { metricName: `${name}_count`, labels: {}, sharedLabels, value: count },
    ];
  }
}

function bucketOf(durationMs: number): number {
  let bucket = 0;
  while (bucket < BOUNDS_MS.length && durationMs > (BOUNDS_MS[bucket] ?? 0)) bucket += 1;
  return bucket;
}
