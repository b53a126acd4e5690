/**
 * What the operator counts about its own work; docs/metrics.md explains each to people.
 *
 * Parts tell it what has happened and know nothing of Prometheus; what can be asked is asked at each scrape.
 */
import { Counter, Gauge, Histogram, type Registry } from "prom-client";
import type { CertifyOutcome } from "./distribute/certify.ts";
import type { BatchStep } from "./distribute/config-session.ts";

/** Of the operator's two servers. */
type ServedCertificate = "grpc" | "webhook";
/** Of which certificate: one of the CA's own, or one of the two servers'. */
export type ExpiringCertificate = "root" | "intermediate" | ServedCertificate;

interface Served {
  notAfterMs(): number;
  issuedAtMs(): number;
}

export class OperatorMetrics {
  readonly #registry: Registry;
  readonly #issued: Counter;
  readonly #refused: Counter<"reason">;
  readonly #waited: Histogram;
  readonly #streams: Counter;
  readonly #batches: Readonly<Record<BatchStep, Counter>>;
  readonly #watchRestarts: Counter<"kind">;
  readonly #expiry = new Map<ExpiringCertificate, () => number>();
  readonly #issuedAt = new Map<ServedCertificate, () => number>();

  constructor(registry: Registry) {
    this.#registry = registry;
    this.#issued = this.#counter("certificates_issued_total", "Workload certificates issued");
    this.#refused = new Counter({
      name: "weft_operator_certificates_refused_total",
      help: "Workload certificates not issued, by reason",
      labelNames: ["reason"],
      registers: [registry],
    });
    this.#waited = new Histogram({
      name: "weft_operator_certify_wait_seconds",
      help: "How long requests that got a certificate waited for their turn",
      buckets: [0.001, 0.005, 0.025, 0.1, 0.5, 2, 10],
      registers: [registry],
    });
    this.#streams = this.#counter(
      "config_streams_total",
      "Configuration streams that node proxies have opened",
    );
    this.#batches = {
      sent: this.#counter("config_pushes_total", "Configuration batches sent to node proxies"),
      applied: this.#counter("config_acks_total", "Configuration batches that a node applied"),
      rejected: this.#counter("config_nacks_total", "Configuration batches that a node refused"),
    };
    this.#watchRestarts = new Counter({
      name: "weft_operator_watch_restarts_total",
      help: "Watches that broke and began again with a list, by kind",
      labelNames: ["kind"],
      registers: [registry],
    });
    this.#exposeExpiry();
    this.#exposeIssued();
  }

  countCertify(outcome: CertifyOutcome): void {
    if (outcome.kind === "issued") {
      this.#issued.inc();
      this.#waited.observe(outcome.waitedMs / 1000);
    } else {
      this.#refused.inc({ reason: outcome.reason });
    }
  }

  countStream(): void {
    this.#streams.inc();
  }

  countBatch(step: BatchStep): void {
    this.#batches[step].inc();
  }

  countWatchRestart(kind: string): void {
    this.#watchRestarts.inc({ kind });
  }

  /** `notAfterMs` is asked at each scrape, since certificates are renewed. */
  watchExpiry(certificate: ExpiringCertificate, notAfterMs: () => number): void {
    this.#expiry.set(certificate, notAfterMs);
  }

  watchServed(certificate: ServedCertificate, served: Served): void {
    this.watchExpiry(certificate, () => served.notAfterMs());
    this.#issuedAt.set(certificate, () => served.issuedAtMs());
  }

  /** A gauge that asks at each scrape. */
  ask(name: string, help: string, value: () => number): void {
    new Gauge({
      name: `weft_operator_${name}`,
      help,
      registers: [this.#registry],
      collect() {
        this.set(value());
      },
    });
  }

  /** Every replica tells of the whole mesh: never to be summed. */
  askPods(counts: () => Readonly<Record<"captured" | "missing", number>>): void {
    new Gauge({
      name: "weft_operator_pods",
      help: "Pods of the mesh that are captured, and that are not",
      labelNames: ["captured"],
      registers: [this.#registry],
      collect() {
        const { captured, missing } = counts();
        this.set({ captured: "true" }, captured);
        this.set({ captured: "false" }, missing);
      },
    });
  }

  #counter(name: string, help: string): Counter {
    return new Counter({ name: `weft_operator_${name}`, help, registers: [this.#registry] });
  }

  #exposeExpiry(): void {
    const expiry = this.#expiry;
    new Gauge({
      name: "weft_operator_certificate_expiry_seconds",
      help: "Seconds until the certificate ends; negative once it has",
      labelNames: ["certificate"],
      registers: [this.#registry],
      collect() {
        for (const [certificate, notAfterMs] of expiry) {
          this.set({ certificate }, (notAfterMs() - Date.now()) / 1000);
        }
      },
    });
  }

  #exposeIssued(): void {
    const issuedAt = this.#issuedAt;
    new Gauge({
      name: "weft_operator_certificate_issued_timestamp_seconds",
      help: "When the certificate was issued last, in seconds since 1970",
      labelNames: ["certificate"],
      registers: [this.#registry],
      collect() {
        for (const [certificate, issuedAtMs] of issuedAt) {
          this.set({ certificate }, issuedAtMs() / 1000);
        }
      },
    });
  }
}
