/** The labels of every metric that tells who called whom. */
import type { PairFacts } from "./pair-table.ts";

export const PAIR_LABELS = [
  "direction",
  "source_workload",
  "source_namespace",
  "destination_workload",
  "destination_namespace",
  "mutual_tls",
] as const;

export type PairLabels = Readonly<Record<(typeof PAIR_LABELS)[number], string>>;

export function pairLabels({ direction, source, destination, tunnelled }: PairFacts): PairLabels {
  return {
    direction,
    source_workload: source.owner,
    source_namespace: source.namespace,
    destination_workload: destination.owner,
    destination_namespace: destination.namespace,
    mutual_tls: String(tunnelled),
  };
}
