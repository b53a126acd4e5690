/** How often something became of requests to a Service that no status tells: sent again, not sent again, kept away. */
import type { Registry } from "prom-client";
import type { Prometheus } from "./prometheus.ts";

/** Services beyond this are counted together under the name `other`. */
const MAX_SERVICES = 2_000;

export class ServiceEvents {
  readonly #most: number;
  readonly #services = new Map<string, Map<string, number>>();

  constructor(most = MAX_SERVICES) {
    this.#most = most;
  }

  /** `event`: a code of ours, one of a few. */
  count(service: string, event: string): void {
    const events = this.#of(service);
    events.set(event, (events.get(event) ?? 0) + 1);
  }

  expose(registry: Registry, { Counter }: Prometheus): void {
    const counter = new Counter({
      name: "weft_http_resilience_events_total",
      help: "Requests that were sent again, hedged, kept away or disturbed on purpose, by the Service that they went to",
      labelNames: ["service", "event"],
      registers: [registry],
      collect: () => {
        counter.reset();
        for (const [service, events] of this.#services) {
          for (const [event, count] of events) counter.inc({ service, event }, count);
        }
      },
    });
  }

  #of(service: string): Map<string, number> {
    const known = this.#services.get(service);
    if (known) return known;
    const isBeyond = this.#services.size >= this.#most;
    const other = isBeyond ? this.#services.get("other") : undefined;
    if (other) return other;
    const events = new Map<string, number>();
    this.#services.set(isBeyond ? "other" : service, events);
    return events;
  }
}
