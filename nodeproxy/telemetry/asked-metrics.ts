/** What the services that decide about connections and requests have answered: external authorizers, and who counts for rate limits. */
import type { Registry } from "prom-client";
import type { ConnectionFacts } from "../flow/connection-facts.ts";
import { count, register, type Series } from "./bounded-series.ts";
import type { Prometheus } from "./prometheus.ts";

type Label = "provider" | "answer";

export class AskedMetrics {
  readonly #answers = new Map<string, Series<Label>>();

  expose(registry: Registry, prometheus: Prometheus): void {
    register({ registry, prometheus }, this.#answers, {
      name: "weft_asked_total",
      help: "Questions to external authorizers and to the rate limit service, by answer",
      labelNames: ["provider", "answer"],
    });
  }

  /** Once for each connection and each request, as it ends. */
  ended({ asked = [] }: Pick<ConnectionFacts, "asked">): void {
    for (const { provider, answer } of asked) {
      count(this.#answers, { provider, answer }, { provider: "other", answer });
    }
  }
}
