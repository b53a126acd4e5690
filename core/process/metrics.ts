/**
 * The registry that a program's metrics live in, with what Node tells about the process itself.
 *
 * Parts get the registry handed in and make their own counters on it; nothing uses prom-client's
 * global registry, so that two programs in one process (tests, the demo) do not mix.
 */
import { collectDefaultMetrics, Gauge, Registry } from "prom-client";

/** A timer as often as this measures the loop's delay. The default of 10 is most of what an idle process costs. */
const LOOP_DELAY_PRECISION_MS = 100;

export interface MetricsOptions {
  /** Name of the program, label of `weft_build_info`. */
  readonly name: string;
  readonly version: string;
  readonly node: string;
}

export function createMetrics({ name, version, node }: MetricsOptions): Registry {
  const registry = new Registry();
  collectDefaultMetrics({
    register: registry,
    eventLoopMonitoringPrecision: LOOP_DELAY_PRECISION_MS,
  });
  new Gauge({
    name: "weft_build_info",
    help: "Always 1; the labels say what runs",
    labelNames: ["program", "version", "node"],
    registers: [registry],
  }).set({ program: name, version, node }, 1);
  return registry;
}
