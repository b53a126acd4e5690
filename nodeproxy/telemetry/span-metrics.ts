/** What became of the spans that were made: taken by the collector, or lost and why. */
import type { Registry } from "prom-client";
import type { Prometheus } from "./prometheus.ts";

export class SpanMetrics {
  /** By fate, all of them from the start: a series that comes only with the first loss tells no growth. */
  readonly #spans = new Map<string, number>([
    ["exported", 0],
    ["queue_full", 0],
    ["rejected", 0],
    ["given_up", 0],
  ]);

  count(fate: string, spans: number): void {
    this.#spans.set(fate, (this.#spans.get(fate) ?? 0) + spans);
  }

  expose(registry: Registry, prometheus: Prometheus): void {
    const counter = new prometheus.Counter({
      name: "weft_trace_spans_total",
      help: "Spans of requests by what became of them",
      labelNames: ["fate"],
      registers: [registry],
      collect: () => {
        counter.reset();
        for (const [fate, spans] of this.#spans) counter.inc({ fate }, spans);
      },
    });
  }
}
