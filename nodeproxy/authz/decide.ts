/**
 * May this attempt reach this local workload? The one place that makes a `Permit`.
 *
 * `inbound/` asks before it dials the pod, and again for every open connection when policies change.
 * Pure: no I/O, no clock, no log. CUSTOM, then DENY, then ALLOW, whatever the order written. A
 * permit allocates nothing: each rule's answer is made once.
 */
import type { Rule } from "../../core/model/authorization-policy.ts";
import type { Attempt } from "./attempt.ts";
import type { Clause } from "./clause.ts";
import type { ClauseIndex } from "./clause-index.ts";
import { type Decider, type View, viewFor } from "./decider.ts";
import { findAllMatches, findFirstMatch } from "./search-clauses.ts";
import { borrowSubject, type Subject } from "./subject.ts";
import {
  customDenial,
  type Denial,
  type DryRunOutcome,
  denialOf,
  dryRunOutcome,
  type Observation,
  type PolicyRuleRef,
} from "./verdict.ts";

declare const permitted: unique symbol;

/** Proof that `decide()` said yes. Forwarding functions take one, so nothing forwards unasked. */
export interface Permit {
  readonly [permitted]: true;
}

export type Verdict =
  | {
      readonly kind: "permit";
      readonly permit: Permit;
      /** The ALLOW rule that matched; absent where no ALLOW policy applies. */
      readonly by?: PolicyRuleRef;
    }
  | Denial;

export interface Decision {
  readonly verdict: Verdict;
  /** Matches that did not decide, one for each policy, by name. */
  readonly observed: readonly Observation[];
  /** Absent where no policy in dry run selects the workload. */
  readonly dryRun?: DryRunOutcome;
}

const PERMIT = Object.freeze({}) as Permit;
const NOTHING: readonly Observation[] = [];
const OPEN: Decision = { verdict: { kind: "permit", permit: PERMIT }, observed: NOTHING };
const NOT_ALLOWED: Decision = denied({ kind: "deny", reason: "not_allowed" });
/** What a rule answers, made when it first permits. */
const permits = new WeakMap<Rule, Decision>();
const UNKNOWN: Decision = denied({ kind: "deny", reason: "policy_unknown" });

/** `decider` is undefined where nothing is known about the workload, which denies. */
export function decide(decider: Decider | undefined, attempt: Attempt): Decision {
  if (!decider) return UNKNOWN;
  const missing = decider.missing[0];
  if (missing !== undefined) {
    return denied({ kind: "deny", reason: "policy_missing", policy: missing });
  }
  const subject = borrowSubject(attempt, decider.meshDomains);
  const view = viewFor(decider, attempt);
  const decision = judge(decider, view, subject);
  const observed = isEmpty(view.observed) ? NOTHING : observationsOf(view.observed, subject);
  if (observed.length === 0 && !decider.dryRun.isAny) return decision;
  return withObserved(decider, decision, observed);
}

/** The source's side carries no policy: authorization is the destination's node's, which also serves callers outside the mesh. */
export function permitOutbound(): Permit {
  return PERMIT;
}

function judge(decider: Decider, view: View, subject: Subject): Decision {
  const custom = findIn(view.custom, subject);
  if (custom) return denied(customDenial(custom, decider.providers, subject.attempt));
  const denying = findIn(view.deny, subject);
  if (denying) return denied(denialOf("denied_by_policy", denying));
  // A workload without ALLOW policies is open: enrolling a namespace must not cut its traffic.
  if (!decider.hasAllow) return OPEN;
  const allowing = findIn(view.allow, subject);
  if (!allowing) return NOT_ALLOWED;
  return permits.get(allowing.rule) ?? permitBy(allowing);
}

function permitBy({ policy, rule }: Clause): Decision {
  const by = { policy: policy.ref, rule: rule.index };
  const decision: Decision = { verdict: { kind: "permit", permit: PERMIT, by }, observed: NOTHING };
  permits.set(rule, decision);
  return decision;
}

function withObserved(
  decider: Decider,
  { verdict }: Decision,
  observed: readonly Observation[],
): Decision {
  if (!decider.dryRun.isAny) return { verdict, observed };
  return { verdict, observed, dryRun: dryRunOutcome(decider, verdict, observed) };
}

function observationsOf(index: ClauseIndex, subject: Subject): readonly Observation[] {
  const matches = findAllMatches(index, subject);
  return matches.length === 0 ? NOTHING : firstOfEach(matches);
}

/** The first match of each policy. */
function firstOfEach(matches: readonly Clause[]): readonly Observation[] {
  return matches
    .filter(({ policy }, i) => matches[i - 1]?.policy !== policy)
    .map(({ policy, rule }) => ({
      policy: policy.ref,
      rule: rule.index,
      action: policy.action,
      dryRun: policy.dryRun,
    }));
}

function findIn(index: ClauseIndex, subject: Subject): Clause | undefined {
  return isEmpty(index) ? undefined : findFirstMatch(index, subject);
}

function isEmpty(index: ClauseIndex): boolean {
  return Array.isArray(index) && index.length === 0;
}

function denied(verdict: Denial): Decision {
  return { verdict, observed: NOTHING };
}
