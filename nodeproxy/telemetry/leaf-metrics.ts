/**
 * How long the leaves of this node still hold. The least over all of them, not one series for each
 * identity: an alert needs no more, and `weftctl ca status` names the one.
 */
import { Gauge, type Registry } from "prom-client";

/** The operator lets leaves begin so long before they are made: no part of a life. */
const BACKDATE_MS = 5 * 60_000;
/** No leaf is made for less. */
const MIN_LIFE_MS = 60_000;

interface Leaf {
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

/** Asked at each scrape. */
export type LeavesToExpose = () => readonly Leaf[];

export function exposeLeaves(registry: Registry, leaves: LeavesToExpose): void {
  const registers = [registry];
  new Gauge({
    name: "weft_nodeproxy_leaves",
    help: "Certificates of workloads that this node holds",
    registers,
    collect() {
      this.set(leaves().length);
    },
  });
  new Gauge({
    name: "weft_nodeproxy_leaf_expiry_seconds",
    help: "Seconds until the first of them ends; negative once it has",
    registers,
    collect() {
      setLeast(this, leaves().map(secondsLeft));
    },
  });
  new Gauge({
    name: "weft_nodeproxy_leaf_life_left_ratio",
    help: "Of the one with the least of its life left, how much is left: 1 new, 0 over",
    registers,
    collect() {
      setLeast(this, leaves().map(lifeLeft));
    },
  });
}

/** Without leaves there is no sample: 0 would be an alarm. */
function setLeast(gauge: Gauge, values: readonly number[]): void {
  if (values.length === 0) gauge.remove();
  else gauge.set(Math.min(...values));
}

function secondsLeft({ notAfterMs }: Leaf): number {
  return (notAfterMs - Date.now()) / 1000;
}

function lifeLeft(leaf: Leaf): number {
  const lifeMs = Math.max(MIN_LIFE_MS, leaf.notAfterMs - leaf.notBeforeMs - BACKDATE_MS);
  return Math.min(1, Math.max(0, (secondsLeft(leaf) * 1000) / lifeMs));
}
