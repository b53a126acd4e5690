/**
 * TCP metrics of connections, by who called whom.
 *
 * Counted in plain numbers and handed to prom-client when somebody scrapes: its labels cost more than
 * a connection. Label values are names of workload owners, and the number of pairs is bounded.
 */
import type { Counter, Registry } from "prom-client";
import {
  type ConnectionFacts,
  type ConnectionOutcome,
  NO_PARTY,
} from "../flow/connection-facts.ts";
import { AskedMetrics } from "./asked-metrics.ts";
import { PAIR_LABELS, type PairLabels, pairLabels } from "./pair-labels.ts";
import { type PairFacts, PairTable } from "./pair-table.ts";
import { PolicyMetrics } from "./policy-metrics.ts";
import type { Prometheus } from "./prometheus.ts";
import {
  createPairRequests,
  type PairRequests,
  REQUEST_BUDGET,
  type RequestBudget,
  RequestMetrics,
} from "./request-metrics.ts";
import { ServiceEvents } from "./service-events.ts";
import { SpanMetrics } from "./span-metrics.ts";

export interface MetricsBudget extends RequestBudget {
  /** Pairs of workloads beyond this are counted together under the name `other`. */
  readonly pairs: number;
}

const BUDGET: MetricsBudget = { ...REQUEST_BUDGET, pairs: 5_000 };

const OTHER = { ...NO_PARTY, namespace: "other", owner: "other" };

interface Series {
  readonly labels: PairLabels;
  opened: number;
  closed: number;
  sent: number;
  received: number;
  /** By reason; reasons are codes of ours, a few dozen. */
  readonly failed: Map<string, number>;
  readonly requests: PairRequests;
}

export class ConnectionMetrics {
  readonly spans = new SpanMetrics();
  readonly #budget: MetricsBudget;
  readonly #series = new PairTable<Series>();
  readonly #others = new PairTable<Series>();
  readonly #policies = new PolicyMetrics();
  readonly #asked = new AskedMetrics();
  readonly #requests: RequestMetrics;
  readonly #services = new ServiceEvents();
  #dropped = 0;
  #pairsBeyond = 0;

  constructor(budget = BUDGET) {
    this.#budget = budget;
    this.#requests = new RequestMetrics(budget);
  }

  /** Once; what was counted before is told as well. */
  expose(registry: Registry, prometheus: Prometheus): void {
    this.#policies.expose(registry, prometheus);
    this.#asked.expose(registry, prometheus);
    for (const [name, help, read] of TOTALS) {
      const counter = new prometheus.Counter({
        name,
        help,
        labelNames: PAIR_LABELS,
        registers: [registry],
        collect: () => {
          counter.reset();
          for (const series of this.#all()) counter.inc(series.labels, read(series));
        },
      });
    }
    this.#registerFailed(registry, prometheus);
    this.#requests.expose(registry, prometheus);
    this.#services.expose(registry, prometheus);
    this.#registerBeyond(registry, prometheus);
    this.spans.expose(registry, prometheus);
    const dropped: Counter = new prometheus.Counter({
      name: "weft_access_log_dropped_total",
      help: "Access log lines lost because the file did not take them",
      registers: [registry],
      collect: () => {
        dropped.reset();
        dropped.inc(this.#dropped);
      },
    });
  }

  opened(facts: ConnectionFacts): void {
    this.#of(facts).opened += 1;
    if (facts.watched) this.#policies.watched(facts, facts.watched, "permit");
  }

  ended(facts: ConnectionFacts, outcome: ConnectionOutcome): void {
    const series = this.#of(facts);
    if (outcome.carried) series.closed += 1;
    series.sent += outcome.bytesSent;
    series.received += outcome.bytesReceived;
    this.#asked.ended(facts);
    if (outcome.code === "") return;
    series.failed.set(outcome.code, (series.failed.get(outcome.code) ?? 0) + 1);
    if (outcome.policy !== undefined) this.#policies.denied(outcome.policy, outcome.rule);
    // One that was carried has told of those that watched when it began.
    if (!facts.watched || outcome.carried) return;
    const isDenied = outcome.policy !== undefined || outcome.code === "not_allowed";
    this.#policies.watched(facts, facts.watched, isDenied ? "deny" : "permit");
  }

  requested(facts: ConnectionFacts, outcome: ConnectionOutcome): void {
    this.#requests.count(this.#of(facts).requests, {
      route: facts.request?.route ?? "",
      status: facts.request?.status ?? 0,
      code: outcome.code,
      // Clocks are set, too.
      durationMs: Math.max(0, Date.now() - facts.sinceMs),
      requestBytes: outcome.bytesSent,
      responseBytes: outcome.bytesReceived,
    });
    this.#asked.ended(facts);
    if (outcome.policy !== undefined) this.#policies.denied(outcome.policy, outcome.rule);
    if (!facts.watched) return;
    const isDenied = outcome.policy !== undefined || outcome.code === "not_allowed";
    this.#policies.watched(facts, facts.watched, isDenied ? "deny" : "permit");
  }

  /** What keeps trouble of a Service small did something. */
  guarded(service: string, event: string): void {
    this.#services.count(service, event);
  }

  accessLineDropped(): void {
    this.#dropped += 1;
  }

  #registerFailed(registry: Registry, prometheus: Prometheus): void {
    const counter = new prometheus.Counter({
      name: "weft_tcp_connections_failed_total",
      help: "Connections that were refused, could not be carried or did not end in order, by reason",
      labelNames: [...PAIR_LABELS, "reason"],
      registers: [registry],
      collect: () => {
        counter.reset();
        for (const { labels, failed } of this.#all()) {
          for (const [reason, count] of failed) counter.inc({ ...labels, reason }, count);
        }
      },
    });
  }

  #registerBeyond(registry: Registry, prometheus: Prometheus): void {
    const counter = new prometheus.Counter({
      name: "weft_metrics_overflow_total",
      help: "What was counted under `other`, because there are as many series as may be",
      labelNames: ["budget"],
      registers: [registry],
      collect: () => {
        counter.reset();
        const all = { pair: this.#pairsBeyond, ...this.#requests.beyond() };
        for (const [budget, count] of Object.entries(all)) counter.inc({ budget }, count);
      },
    });
  }

  #all(): readonly Series[] {
    if (this.#pairsBeyond === 0) return this.#series.values();
    return [...this.#series.values(), ...this.#others.values()];
  }

  #of(facts: PairFacts): Series {
    const known = this.#series.get(facts);
    if (known) return known;
    const other = this.#other(facts);
    if (this.#series.size >= this.#budget.pairs) {
      this.#pairsBeyond += 1;
      return other;
    }
    const series = createSeries(pairLabels(facts), other.requests);
    this.#series.add(facts, series);
    return series;
  }

  #other({ direction, tunnelled }: PairFacts): Series {
    const facts = { direction, tunnelled, source: OTHER, destination: OTHER };
    const known = this.#others.get(facts);
    if (known) return known;
    const series = createSeries(pairLabels(facts), undefined);
    this.#others.add(facts, series);
    return series;
  }
}

function createSeries(labels: PairLabels, other: PairRequests | undefined): Series {
  const requests = createPairRequests(labels, other);
  return { labels, opened: 0, closed: 0, sent: 0, received: 0, failed: new Map(), requests };
}

const TOTALS: readonly (readonly [string, string, (series: Series) => number])[] = [
  ["weft_tcp_connections_opened_total", "Connections carried", (series) => series.opened],
  [
    "weft_tcp_connections_closed_total",
    "Carried connections that ended",
    (series) => series.closed,
  ],
  ["weft_tcp_sent_bytes_total", "Bytes from callers", (series) => series.sent],
  ["weft_tcp_received_bytes_total", "Bytes to callers", (series) => series.received],
];
