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
import type { Decider } from "./decider.ts";
import { type PolicyLayer, viewOf } from "./policy-layer.ts";
import { type Seen, seenIn } from "./read-rules.ts";
import { findFirst, searchFor, takeGathered } from "./search-table.ts";
import { borrowSubject } from "./subject.ts";
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
  searchFor(borrowSubject(attempt, decider.meshDomains), decider.index.gone);
  const decision = judge(decider, attempt);
  const observed = observationsOf(takeGathered());
  if (observed.length === 0 && !decider.dryRun.isAny) return decision;
  return withObserved(decider, decision, observed);
}

/** The source's side carries no policy: authorization is the destination's node's, which also serves callers outside the mesh. */
export function permitOutbound(): Permit {
  return PERMIT;
}

function judge(decider: Decider, attempt: Attempt): Decision {
  const first = findFirstIn(decider.index.layers, seenIn(attempt));
  // A workload without ALLOW policies is open: enrolling a namespace must not cut its traffic.
  if (!first) return decider.hasAllow ? NOT_ALLOWED : OPEN;
  const { action } = first.policy;
  if (action === "CUSTOM") return denied(customDenial(first, decider.providers, attempt));
  if (action === "DENY") return denied(denialOf("denied_by_policy", first));
  return permits.get(first.rule) ?? permitBy(first);
}

/** The clause that decides, if any: CUSTOM before DENY before ALLOW, of these the first by name. */
function findFirstIn(layers: readonly PolicyLayer[], seen: Seen): Clause | undefined {
  let first: Clause | undefined;
  let rank = 3;
  for (let i = 0; i < layers.length; i += 1) {
    const layer = layers[i];
    if (!layer) continue;
    const { table, deny, allow, observed } = viewOf(layer, seen);
    const id = findFirst(table, observed);
    if (id === observed) continue;
    const clause = table.clauses[id];
    const own = (id >= deny ? 1 : 0) + (id >= allow ? 1 : 0);
    if (clause && (own < rank || (own === rank && isBefore(clause, first)))) {
      first = clause;
      rank = own;
    }
  }
  return first;
}

/** No policy is in force in two layers. */
function isBefore({ policy }: Clause, other: Clause | undefined): boolean {
  return other !== undefined && policy.ref < other.policy.ref;
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

/** The first match of each policy. */
function observationsOf(matches: readonly Clause[]): readonly Observation[] {
  if (matches.length === 0) return NOTHING;
  return firstOfEach(matches);
}

/** By itself: a function that holds closures makes room for them at every call. */
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

function denied(verdict: Denial): Decision {
  return { verdict, observed: NOTHING };
}
