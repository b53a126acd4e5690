/**
 * TCP metrics of connections, by who called whom.
 *
 * Counted in plain numbers and handed to prom-client when somebody scrapes: its labels cost more than
 * a connection. Label values are names of workload owners, and the number of pairs is bounded.
 */
import type { Counter, Registry } from "prom-client";
import type { ConnectionFacts, ConnectionOutcome } from "../flow/connection-facts.ts";
import { PolicyMetrics } from "./policy-metrics.ts";
import type { Prometheus } from "./prometheus.ts";

/** Pairs of workloads beyond this are counted together under the name `other`. */
const MAX_SERIES = 5000;

/** Of statuses and reasons, for one pair of workloads. */
const MAX_KINDS = 100;

const LABELS = [
  "direction",
  "source_workload",
  "source_namespace",
  "destination_workload",
  "destination_namespace",
  "mutual_tls",
] as const;

type Labels = Readonly<Record<(typeof LABELS)[number], string>>;

interface Series {
  readonly labels: Labels;
  opened: number;
  closed: number;
  sent: number;
  received: number;
  /** By reason; reasons are codes of ours, a few dozen. */
  readonly failed: Map<string, number>;
  /** Requests by status and reason, in one text. */
  readonly requests: Map<string, number>;
}

export class ConnectionMetrics {
  readonly #series = new Map<string, Series>();
  readonly #policies = new PolicyMetrics();
  #dropped = 0;

  /** Once; what was counted before is told as well. */
  expose(registry: Registry, prometheus: Prometheus): void {
    this.#policies.expose(registry, prometheus);
    for (const [name, help, read] of TOTALS) {
      const counter = new prometheus.Counter({
        name,
        help,
        labelNames: LABELS,
        registers: [registry],
        collect: () => {
          counter.reset();
          for (const series of this.#series.values()) counter.inc(series.labels, read(series));
        },
      });
    }
    this.#registerFailed(registry, prometheus);
    this.#registerRequests(registry, prometheus);
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
    if (outcome.code === "") return;
    series.failed.set(outcome.code, (series.failed.get(outcome.code) ?? 0) + 1);
    if (outcome.policy !== undefined) this.#policies.denied(outcome.policy, outcome.rule);
    // One that was carried has told of those that watched when it began.
    if (!facts.watched || outcome.carried) return;
    const isDenied = outcome.policy !== undefined || outcome.code === "not_allowed";
    this.#policies.watched(facts, facts.watched, isDenied ? "deny" : "permit");
  }

  requested(facts: ConnectionFacts, outcome: ConnectionOutcome): void {
    const { requests } = this.#of(facts);
    const key = `${facts.request?.status ?? 0} ${outcome.code}`;
    // Statuses are the application's to choose.
    const counted = requests.size < MAX_KINDS || requests.has(key) ? key : "other other";
    requests.set(counted, (requests.get(counted) ?? 0) + 1);
    if (outcome.policy !== undefined) this.#policies.denied(outcome.policy, outcome.rule);
    if (!facts.watched) return;
    const isDenied = outcome.policy !== undefined || outcome.code === "not_allowed";
    this.#policies.watched(facts, facts.watched, isDenied ? "deny" : "permit");
  }

  accessLineDropped(): void {
    this.#dropped += 1;
  }

  #registerFailed(registry: Registry, prometheus: Prometheus): void {
    const counter = new prometheus.Counter({
      name: "weft_tcp_connections_failed_total",
      help: "Connections that were refused, could not be carried or did not end in order, by reason",
      labelNames: [...LABELS, "reason"],
      registers: [registry],
      collect: () => {
        counter.reset();
        for (const { labels, failed } of this.#series.values()) {
          for (const [reason, count] of failed) counter.inc({ ...labels, reason }, count);
        }
      },
    });
  }

  #registerRequests(registry: Registry, prometheus: Prometheus): void {
    const counter = new prometheus.Counter({
      name: "weft_http_requests_total",
      help: "Requests that were judged, by the status of their answer and by the reason of what went wrong",
      labelNames: [...LABELS, "status", "reason"],
      registers: [registry],
      collect: () => {
        counter.reset();
        for (const { labels, requests } of this.#series.values()) {
          for (const [key, count] of requests) {
            const [status = "", reason = ""] = key.split(" ");
            counter.inc({ ...labels, status, reason }, count);
          }
        }
      },
    });
  }

  #of(facts: ConnectionFacts): Series {
    const { direction, source, destination, tunnelled } = facts;
    const key = `${direction} ${source.namespace} ${source.owner} ${destination.namespace} ${destination.owner} ${tunnelled}`;
    const known = this.#series.get(key);
    if (known) return known;
    if (this.#series.size >= MAX_SERIES) return this.#other(facts);
    return this.#add(key, {
      direction,
      source_workload: source.owner,
      source_namespace: source.namespace,
      destination_workload: destination.owner,
      destination_namespace: destination.namespace,
      mutual_tls: String(tunnelled),
    });
  }

  #other({ direction, tunnelled }: ConnectionFacts): Series {
    const key = `${direction} ${tunnelled}`;
    const other = { source_workload: "other", source_namespace: "other" };
    const others = { destination_workload: "other", destination_namespace: "other" };
    const labels = { direction, ...other, ...others, mutual_tls: String(tunnelled) };
    return this.#series.get(key) ?? this.#add(key, labels);
  }

  #add(key: string, labels: Labels): Series {
    const none = { opened: 0, closed: 0, sent: 0, received: 0 };
    const series = { labels, ...none, failed: new Map(), requests: new Map() };
    this.#series.set(key, series);
    return series;
  }
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
