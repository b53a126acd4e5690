/**
 * Why does `decide()` say what it says? The whole trace: every policy, every rule, and what failed.
 *
 * For `weftctl why` and people. Walks all policies in order with the same matchers and without the
 * index; a property test holds its outcome equal to `decide()`'s. Never makes a Permit.
 */
import type { CompiledPolicy, PolicyAction, Rule } from "../../core/model/authorization-policy.ts";
import { type Attempt, type Subject, subjectOf } from "./attempt.ts";
import { effectiveRules } from "./clause.ts";
import type { Decider } from "./decider.ts";
import { matchesCondition, matchesFrom, matchesTo } from "./match.ts";
import { denialOf, type Observation, type Outcome } from "./verdict.ts";

export interface Explanation {
  readonly outcome: Outcome;
  readonly observed: readonly Observation[];
  readonly policies: readonly PolicyTrace[];
}

export interface PolicyTrace {
  readonly policy: string;
  readonly action: PolicyAction;
  readonly dryRun: boolean;
  readonly invalid: boolean;
  /** At least one rule matches (an invalid DENY or CUSTOM counts as matching). */
  readonly matched: boolean;
  readonly rules: readonly RuleTrace[];
}

export interface RuleTrace {
  readonly index: number;
  readonly matched: boolean;
  /** Parts that do not match: `from`, `to`, `when[0]`, … Empty where the rule matches. */
  readonly failed: readonly string[];
}

export function explain(decider: Decider | undefined, attempt: Attempt): Explanation {
  if (!decider) return refused({ kind: "deny", reason: "policy_unknown" });
  const missing = decider.missing[0];
  if (missing !== undefined) {
    return refused({ kind: "deny", reason: "policy_missing", policy: missing });
  }
  const subject = subjectOf(attempt, decider.meshDomains);
  const policies = decider.policies.map((policy) => tracePolicy(policy, subject));
  return { outcome: outcomeOf(policies), observed: observationsOf(policies), policies };
}

function tracePolicy(policy: CompiledPolicy, subject: Subject): PolicyTrace {
  const rules = effectiveRules(policy).map((rule) => traceRule(rule, subject));
  const { ref, action, dryRun, invalid } = policy;
  return { policy: ref, action, dryRun, invalid, matched: rules.some((r) => r.matched), rules };
}

function traceRule(rule: Rule, subject: Subject): RuleTrace {
  const failed: string[] = [];
  if (!matchesFrom(rule.from, subject)) failed.push("from");
  if (!matchesTo(rule.to, subject)) failed.push("to");
  for (const [i, condition] of rule.when.entries()) {
    if (!matchesCondition(condition, subject)) failed.push(`when[${i}]`);
  }
  return { index: rule.index, matched: failed.length === 0, failed };
}

function outcomeOf(policies: readonly PolicyTrace[]): Outcome {
  const live = policies.filter((policy) => !policy.dryRun);
  const custom = matchOf(live, "CUSTOM");
  if (custom) return denialOf("denied_by_provider", custom);
  const denying = matchOf(live, "DENY");
  if (denying) return denialOf("denied_by_policy", denying);
  if (!live.some(({ action }) => action === "ALLOW")) return { kind: "permit" };
  const allowing = matchOf(live, "ALLOW");
  if (!allowing) return { kind: "deny", reason: "not_allowed" };
  return { kind: "permit", by: { policy: allowing.policy.ref, rule: allowing.rule.index } };
}

function matchOf(policies: readonly PolicyTrace[], action: PolicyAction) {
  const policy = policies.find((trace) => trace.action === action && trace.matched);
  const rule = policy?.rules.find(({ matched }) => matched);
  return policy && rule && { policy: { ref: policy.policy, invalid: policy.invalid }, rule };
}

function observationsOf(policies: readonly PolicyTrace[]): readonly Observation[] {
  return policies
    .filter(({ dryRun, action }) => dryRun || action === "AUDIT")
    .flatMap(({ policy, action, dryRun, rules }) => {
      const rule = rules.find(({ matched }) => matched);
      return rule ? [{ policy, rule: rule.index, action, dryRun }] : [];
    });
}

function refused(outcome: Outcome): Explanation {
  return { outcome, observed: [], policies: [] };
}
