/** Counters by labels that come and go with policies and settings: the number of series is bounded. */
import type { Registry } from "prom-client";
import type { Prometheus } from "./prometheus.ts";

/** What is beyond is counted together. */
const MAX_SERIES = 5000;

export interface Series<Label extends string> {
  readonly labels: Readonly<Record<Label, string>>;
  count: number;
}

/** `other`: where it counts when there are too many. */
export function count<Label extends string>(
  all: Map<string, Series<Label>>,
  labels: Readonly<Record<Label, string>>,
  other: Readonly<Record<Label, string>>,
): void {
  const key = Object.values(labels).join(" ");
  const known = all.get(key);
  if (known) {
    known.count += 1;
    return;
  }
  if (all.size < MAX_SERIES) {
    all.set(key, { labels, count: 1 });
    return;
  }
  const rest = Object.values(other).join(" ");
  const series = all.get(rest) ?? { labels: other, count: 0 };
  series.count += 1;
  all.set(rest, series);
}

/** Told as counted whenever somebody scrapes. */
export function register<Label extends string>(
  { registry, prometheus }: { readonly registry: Registry; readonly prometheus: Prometheus },
  all: ReadonlyMap<string, Series<Label>>,
  of: { readonly name: string; readonly help: string; readonly labelNames: readonly Label[] },
): void {
  const counter = new prometheus.Counter({
    ...of,
    labelNames: [...of.labelNames],
    registers: [registry],
    collect: () => {
      counter.reset();
      for (const { labels, count: value } of all.values()) counter.inc({ ...labels }, value);
    },
  });
}
