/**
 * Why does `decide()` say what it says? The whole tree: every policy, rule and clause, what was
 * wanted, what was seen, and what came of it.
 *
 * For `weftctl why` and people. Walks all policies in order, without the index; the tree is made without
 * `readRules()`. Tests hold its outcome equal to `decide()`'s. Never makes a Permit.
 */
import type { CompiledPolicy, PolicyAction, Rule } from "../../core/model/authorization-policy.ts";
import type { Attempt } from "./attempt.ts";
import type { PolicySet } from "./decider.ts";
import { matchesFrom, matchesTo, matchesWhen } from "./match.ts";
import { effectiveRules, readRules, seenIn } from "./read-rules.ts";
import { subjectOf } from "./subject.ts";
import {
  type ClauseTrace,
  type Look,
  traceCondition,
  traceOperation,
  traceSource,
} from "./trace-clauses.ts";
import {
  customDenial,
  type DryRunOutcome,
  denialOf,
  dryRunOutcome,
  type Observation,
  type Outcome,
} from "./verdict.ts";

export interface Explanation {
  readonly outcome: Outcome;
  readonly observed: readonly Observation[];
  /** Absent where no policy in dry run selects the workload. */
  readonly dryRun?: DryRunOutcome;
  readonly policies: readonly PolicyTrace[];
}

export interface PolicyTrace {
  readonly policy: string;
  readonly action: PolicyAction;
  readonly dryRun: boolean;
  readonly invalid: boolean;
  /** Of a CUSTOM policy. */
  readonly provider?: string;
  /** At least one rule matches (an invalid DENY or CUSTOM counts as matching). */
  readonly matched: boolean;
  readonly rules: readonly RuleTrace[];
  /** So many rules, of which none matches, and more is not told of them. */
  readonly untold?: number;
}

export interface RuleTrace {
  readonly index: number;
  readonly matched: boolean;
  /** An ALLOW rule that asks for what could not be seen: it never matches here. */
  readonly dropped: boolean;
  /** Parts that do not match: `from`, `to`, `when[0]`, … */
  readonly failed: readonly string[];
  /** One entry each; one that matches suffices. Empty: anything will do. */
  readonly from: readonly AlternativeTrace[];
  readonly to: readonly AlternativeTrace[];
  /** All must match. */
  readonly when: readonly (readonly ClauseTrace[])[];
}

export interface AlternativeTrace {
  readonly matched: boolean;
  readonly clauses: readonly ClauseTrace[];
}

/** `room`: for so many rules of an action the tree is made, whether they match or not; else only of policies that match. */
export function explain(
  decider: PolicySet | undefined,
  attempt: Attempt,
  room = Number.POSITIVE_INFINITY,
): Explanation {
  if (!decider) return refused({ kind: "deny", reason: "policy_unknown" });
  const missing = decider.missing[0];
  if (missing !== undefined) {
    return refused({ kind: "deny", reason: "policy_missing", policy: missing });
  }
  const subject = subjectOf(attempt, decider.meshDomains);
  const told = new Map<PolicyAction, number>();
  const policies = decider.policies.map((policy) => {
    const { action, rules } = policy;
    const look = { subject, seen: seenIn(attempt), isAllow: action === "ALLOW" };
    const before = told.get(action) ?? 0;
    told.set(action, before + rules.length);
    const isTold = before < room || isMatched(policy, look);
    return isTold ? tracePolicy(policy, look) : untoldPolicy(policy);
  });
  const outcome = outcomeOf(policies, decider, attempt);
  const observed = observationsOf(policies, attempt);
  if (!decider.dryRun.isAny) return { outcome, observed, policies };
  return { outcome, observed, dryRun: dryRunOutcome(decider, outcome, observed), policies };
}

function tracePolicy(policy: CompiledPolicy, look: Look): PolicyTrace {
  const rules = effectiveRules(policy).map((rule) => traceRule(rule, look));
  return { ...headOf(policy), matched: rules.some((rule) => rule.matched), rules };
}

function untoldPolicy(policy: CompiledPolicy): PolicyTrace {
  return { ...headOf(policy), matched: false, rules: [], untold: policy.rules.length };
}

function headOf({ ref, action, dryRun, invalid, provider }: CompiledPolicy) {
  const asks = provider === undefined ? {} : { provider };
  return { policy: ref, action, dryRun, invalid, ...asks };
}

function isMatched(policy: CompiledPolicy, { subject, seen, isAllow }: Look): boolean {
  return readRules(policy, seen).some(
    ({ from, to, when }) =>
      matchesFrom(from, subject) && matchesTo(to, subject) && matchesWhen(when, subject, isAllow),
  );
}

function traceRule(rule: Rule, look: Look): RuleTrace {
  const from = rule.from.map((source) => alternative(traceSource(source, look)));
  const to = rule.to.map((operation) => alternative(traceOperation(operation, look)));
  const when = rule.when.map((condition) => traceCondition(condition, look));
  const failed = [
    ...(isAnyMatched(from) ? [] : ["from"]),
    ...(isAnyMatched(to) ? [] : ["to"]),
    ...when.flatMap((clauses, i) => (areMatched(clauses) ? [] : [`when[${i}]`])),
  ];
  const clauses = [...[...from, ...to].flatMap((entry) => entry.clauses), ...when.flat()];
  const dropped = look.isAllow && clauses.some(({ outcome }) => outcome === "unseen");
  const matched = failed.length === 0 && !dropped;
  return { index: rule.index, matched, dropped, failed, from, to, when };
}

function alternative(clauses: readonly ClauseTrace[]): AlternativeTrace {
  return { matched: areMatched(clauses), clauses };
}

function isAnyMatched(alternatives: readonly AlternativeTrace[]): boolean {
  return alternatives.length === 0 || alternatives.some(({ matched }) => matched);
}

/** What is not seen stands in nobody's way; an ALLOW rule is dropped for it as a whole. */
function areMatched(clauses: readonly ClauseTrace[]): boolean {
  return clauses.every(({ outcome }) => outcome !== "no_match");
}

function outcomeOf(
  policies: readonly PolicyTrace[],
  decider: PolicySet,
  attempt: Attempt,
): Outcome {
  const live = policies.filter((policy) => !policy.dryRun);
  const custom = matchOf(
    live.filter((policy) => !isAnsweredYes(policy, attempt)),
    "CUSTOM",
  );
  if (custom) return customDenial(custom, decider.providers, attempt);
  const denying = matchOf(live, "DENY");
  if (denying) return denialOf("denied_by_policy", denying);
  if (!live.some(({ action }) => action === "ALLOW")) return { kind: "permit" };
  const allowing = matchOf(live, "ALLOW");
  if (!allowing) return { kind: "deny", reason: "not_allowed" };
  return { kind: "permit", by: { policy: allowing.policy.ref, rule: allowing.rule.index } };
}

function isAnsweredYes({ action, provider, invalid }: PolicyTrace, { answers }: Attempt): boolean {
  if (action !== "CUSTOM" || invalid || provider === undefined) return false;
  return answers?.get(provider) === "permit";
}

function matchOf(policies: readonly PolicyTrace[], action: PolicyAction) {
  const trace = policies.find((policy) => policy.action === action && policy.matched);
  const rule = trace?.rules.find(({ matched }) => matched);
  if (!trace || !rule) return undefined;
  const { policy: ref, invalid, provider } = trace;
  return { policy: { ref, invalid, ...(provider === undefined ? {} : { provider }) }, rule };
}

function observationsOf(
  policies: readonly PolicyTrace[],
  attempt: Attempt,
): readonly Observation[] {
  return policies
    .filter((trace) => (trace.dryRun || trace.action === "AUDIT") && !isAnsweredYes(trace, attempt))
    .flatMap(({ policy, action, dryRun, rules }) => {
      const rule = rules.find(({ matched }) => matched);
      return rule ? [{ policy, rule: rule.index, action, dryRun }] : [];
    });
}

function refused(outcome: Outcome): Explanation {
  return { outcome, observed: [], policies: [] };
}
