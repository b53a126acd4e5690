/** The answers of authorization, in the words of the access log, the metric labels and `x-weft-reason`. */
import type { PolicyAction } from "../../core/model/authorization-policy.ts";
import type { Attempt } from "./attempt.ts";
import type { Decider } from "./decider.ts";

export type DenyReason =
  /** A DENY policy matches. */
  | "denied_by_policy"
  /** A CUSTOM policy matches and its provider says no or cannot be asked. */
  | "denied_by_provider"
  /** ALLOW policies apply and none matches. */
  | "not_allowed"
  /** A DENY or CUSTOM policy that cannot be evaluated selects the workload. */
  | "policy_invalid"
  /** A policy that the enrolment names has not arrived. */
  | "policy_missing"
  /** Nothing is known about the workload. */
  | "policy_unknown"
  /** No identity, and the port takes callers with one only. */
  | "plaintext_refused";

export interface Denial {
  readonly kind: "deny";
  readonly reason: DenyReason;
  /** `namespace/name` of the deciding policy, where one decides alone. */
  readonly policy?: string;
  /** Index of the deciding rule in the object. */
  readonly rule?: number;
  /**
   * Name of the provider that has not been asked yet. Who can ask it does, adds its answer to the
   * attempt and decides again; for who cannot, the denial stands.
   */
  readonly ask?: string;
}

export interface PolicyRuleRef {
  readonly policy: string;
  readonly rule: number;
}

/** A verdict without its proof: what `explain()` may say. */
export type Outcome = { readonly kind: "permit"; readonly by?: PolicyRuleRef } | Denial;

/** A match that did not decide: of an AUDIT policy or of one in dry run. To be logged and counted. */
export interface Observation extends PolicyRuleRef {
  readonly action: PolicyAction;
  readonly dryRun: boolean;
}

/** What the policies in dry run would have made of it, were they in force. */
export type DryRunOutcome = "permit" | "deny";

/** The deciding policy and rule, whether as a clause or as a trace. */
interface Deciding {
  readonly policy: {
    readonly ref: string;
    readonly invalid: boolean;
    readonly provider?: string;
  };
  readonly rule: { readonly index: number };
}

export function denialOf(
  reason: "denied_by_policy" | "denied_by_provider",
  { policy, rule }: Deciding,
): Denial {
  if (policy.invalid) return { kind: "deny", reason: "policy_invalid", policy: policy.ref };
  return { kind: "deny", reason, policy: policy.ref, rule: rule.index };
}

/** Of a CUSTOM policy whose provider has not said yes: it says no, is not known, or is still to be asked. */
export function customDenial(
  deciding: Deciding,
  providers: readonly string[],
  { answers }: Attempt,
): Denial {
  const denial = denialOf("denied_by_provider", deciding);
  const { provider, invalid } = deciding.policy;
  const isOpen = provider !== undefined && providers.includes(provider) && !answers?.has(provider);
  return isOpen && !invalid ? { ...denial, ask: provider } : denial;
}

/** Were the policies in dry run in force. A CUSTOM policy among them denies: nobody is asked for it. */
export function dryRunOutcome(
  { hasAllow, dryRun }: Pick<Decider, "hasAllow" | "dryRun">,
  outcome: Outcome,
  observed: readonly Observation[],
): DryRunOutcome {
  const dry = observed.filter((observation) => observation.dryRun);
  if (dry.some(({ action }) => action === "DENY" || action === "CUSTOM")) return "deny";
  if (outcome.kind === "deny" && outcome.reason !== "not_allowed") return "deny";
  const isAllowed = outcome.kind === "permit" && outcome.by !== undefined;
  if (isAllowed || dry.some(({ action }) => action === "ALLOW")) return "permit";
  return hasAllow || dryRun.hasAllow ? "deny" : "permit";
}
