/** The answers of authorization, in the words of the access log, the metric labels and `x-weft-reason`. */
import type { PolicyAction } from "../../core/model/authorization-policy.ts";

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

export function denialOf(
  reason: "denied_by_policy" | "denied_by_provider",
  {
    policy,
    rule,
  }: {
    readonly policy: { readonly ref: string; readonly invalid: boolean };
    readonly rule: { readonly index: number };
  },
): Denial {
  if (policy.invalid) return { kind: "deny", reason: "policy_invalid", policy: policy.ref };
  return { kind: "deny", reason, policy: policy.ref, rule: rule.index };
}
