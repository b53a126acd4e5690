/**
 * Which policies matched, and what those in dry run would have decided.
 *
 * Pure bookkeeping; handed to prom-client when somebody scrapes. Policies come and go: the number of series is bounded.
 */
import type { Registry } from "prom-client";
import type { ConnectionFacts, Watched } from "../flow/connection-facts.ts";
import { count, register, type Series } from "./bounded-series.ts";
import type { Prometheus } from "./prometheus.ts";

/** What a match led to: the connection was refused by it, only noted, or noted for a trial. */
type Effect = "denied" | "audited" | "dry_run";

type RuleLabel = "policy" | "rule" | "effect";
type TrialLabel = "destination_namespace" | "destination_workload" | "verdict" | "dry_run";

export class PolicyMetrics {
  readonly #rules = new Map<string, Series<RuleLabel>>();
  readonly #trials = new Map<string, Series<TrialLabel>>();

  expose(registry: Registry, prometheus: Prometheus): void {
    const into = { registry, prometheus };
    register(into, this.#rules, {
      name: "weft_policy_matches_total",
      help: "Connections that a rule refused, that AUDIT noted or that matched in dry run",
      labelNames: ["policy", "rule", "effect"],
    });
    register(into, this.#trials, {
      name: "weft_policy_dry_run_total",
      help: "Connections by what was decided and what would be with the policies in dry run",
      labelNames: ["destination_namespace", "destination_workload", "verdict", "dry_run"],
    });
  }

  denied(policy: string, rule: number | undefined): void {
    this.#match(policy, rule, "denied");
  }

  /** Once for each connection: when it is carried, or when it has come to nothing. */
  watched(
    { destination }: Pick<ConnectionFacts, "destination">,
    { matches, dryRun }: Watched,
    verdict: "permit" | "deny",
  ): void {
    for (const match of matches) {
      this.#match(match.policy, match.rule, match.dryRun ? "dry_run" : "audited");
    }
    if (dryRun === undefined) return;
    const labels = {
      destination_namespace: destination.namespace,
      destination_workload: destination.owner,
      verdict,
      dry_run: dryRun,
    };
    const others = { destination_namespace: "other", destination_workload: "other" };
    count(this.#trials, labels, { ...labels, ...others });
  }

  #match(policy: string, rule: number | undefined, effect: Effect): void {
    const labels = { policy, rule: rule === undefined ? "" : String(rule), effect };
    count(this.#rules, labels, { policy: "other", rule: "", effect });
  }
}
