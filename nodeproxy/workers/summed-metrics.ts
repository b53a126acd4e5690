/**
 * The metrics of all workers as those of one process. Counters never go back: what a worker had told when it died
 * counts on, and what it had open by then is closed, as failed with `worker_died`.
 */
import { AggregatorRegistry, Counter, type MetricValue, Registry } from "prom-client";
import type { Metrics } from "./messages.ts";
import { DEATHS, type DeathReason } from "./supervised-worker.ts";

/** Of the main thread. */
export interface MainMetrics {
  /** What the workers do not have. */
  readonly own: Registry;
  /** Counted together with the workers'. */
  readonly added: Registry;
}

interface Answer {
  readonly id: number;
  readonly metrics: Metrics;
}

/** Less than control waits. */
const ANSWER_WITHIN_MS = 1_500;

export class SummedMetrics {
  readonly #own: Registry;
  readonly #added: Registry;
  readonly #deaths: Counter<"reason">;
  readonly #ask: (worker: number, id: number) => boolean;
  readonly #last = new Map<number, Metrics>();
  readonly #answers = new Map<string, () => void>();
  #ended: Metrics = [];
  #nextId = 1;

  /** `ask` says false where there is nobody to ask. */
  constructor({ own, added }: MainMetrics, ask: (worker: number, id: number) => boolean) {
    this.#own = own;
    this.#added = added;
    this.#ask = ask;
    this.#deaths = new Counter({
      name: "weft_traffic_worker_deaths_total",
      help: "Worker threads that ended and were replaced, by reason",
      labelNames: ["reason"],
      registers: [own],
    });
    for (const reason of DEATHS) this.#deaths.inc({ reason }, 0);
  }

  answered(worker: number, { id, metrics }: Answer): void {
    this.#last.set(worker, metrics);
    this.#answers.get(`${id} ${worker}`)?.();
  }

  async died(worker: number, reason: DeathReason): Promise<void> {
    this.#deaths.inc({ reason });
    const last = this.#last.get(worker);
    this.#last.delete(worker);
    if (!last) return;
    const both = [this.#ended, settled(last)].filter(isFilled);
    this.#ended = await sumOf(both).getMetricsAsJSON();
  }

  /** In Prometheus' text format, with `labels` on all. */
  async text(workers: number, labels: Readonly<Record<string, string>>): Promise<string> {
    await this.#refresh(workers);
    const added = await this.#added.getMetricsAsJSON();
    const summed = sumOf([added, this.#ended, ...this.#last.values()].filter(isFilled));
    summed.setDefaultLabels(labels);
    return [await this.#own.metrics(), await summed.metrics()].join("\n");
  }

  /** Who does not answer in time stays with what it told before. */
  async #refresh(workers: number): Promise<void> {
    const id = this.#nextId;
    this.#nextId += 1;
    await Promise.all(Array.from({ length: workers }, (_, worker) => this.#refreshOne(worker, id)));
  }

  async #refreshOne(worker: number, id: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const key = `${id} ${worker}`;
    this.#answers.set(key, resolve);
    const timer = setTimeout(resolve, ANSWER_WITHIN_MS).unref();
    if (this.#ask(worker, id)) await promise;
    clearTimeout(timer);
    this.#answers.delete(key);
  }
}

function isFilled({ length }: Metrics): boolean {
  return length > 0;
}

function sumOf(all: readonly Metrics[]): Registry {
  return all.length === 0
    ? new Registry()
    : AggregatorRegistry.aggregate(all.map((one) => [...one]));
}

const OPENED = "weft_tcp_connections_opened_total";
const CLOSED = "weft_tcp_connections_closed_total";
const FAILED = "weft_tcp_connections_failed_total";

/** As if each connection that was open had ended now. */
function settled(metrics: Metrics): Metrics {
  const opened = valuesOf(metrics, OPENED);
  const closed = new Map(
    valuesOf(metrics, CLOSED).map(({ labels, value }) => [keyOf(labels), value]),
  );
  const broken = opened.flatMap(({ labels, value }) => {
    const open = value - (closed.get(keyOf(labels)) ?? 0);
    return open > 0 ? [{ value: open, labels: { ...labels, reason: "worker_died" } }] : [];
  });
  return metrics.map((metric) => {
    if (metric.name === CLOSED) return { ...metric, values: [...opened] };
    return metric.name === FAILED ? { ...metric, values: [...metric.values, ...broken] } : metric;
  });
}

function valuesOf(metrics: Metrics, name: string): readonly MetricValue<string>[] {
  return metrics.find((metric) => metric.name === name)?.values ?? [];
}

function keyOf(labels: MetricValue<string>["labels"]): string {
  const texts = Object.entries(labels).map(([name, value]) => `${name}=${value}`);
  return texts.toSorted((a, b) => (a < b ? -1 : 1)).join(" ");
}
