/**
 * May this connection reach this local workload? The one place that makes a `Permit`.
 *
 * `inbound/` asks before it dials the pod, and again for every open connection when policies
 * change. Pure: no I/O, no clock, no log. CUSTOM, then DENY, then ALLOW, whatever the order written.
 */
import { type Attempt, type Subject, subjectOf } from "./attempt.ts";
import { type Clause, matchesClause } from "./clause.ts";
import { type ClauseIndex, collectCandidates } from "./clause-index.ts";
import type { Decider } from "./decider.ts";
import {
  type Denial,
  type DryRunOutcome,
  denialOf,
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

/** `decider` is undefined where nothing is known about the workload, which denies. */
export function decide(decider: Decider | undefined, attempt: Attempt): Decision {
  if (!decider) return denied({ kind: "deny", reason: "policy_unknown" });
  const missing = decider.missing[0];
  if (missing !== undefined) {
    return denied({ kind: "deny", reason: "policy_missing", policy: missing });
  }
  const subject = subjectOf(attempt, decider.meshDomains);
  const verdict = judge(decider, subject);
  if (isEmpty(decider.observed) && !decider.dryRun.isAny) return { verdict, observed: NOTHING };
  const observed = observe(decider.observed, subject);
  if (!decider.dryRun.isAny) return { verdict, observed };
  return { verdict, observed, dryRun: dryRunOutcome(decider, { verdict, observed }) };
}

/** The source's side carries no policy: authorization is the destination's node's, which also serves callers outside the mesh. */
export function permitOutbound(): Permit {
  return PERMIT;
}

function judge(decider: Decider, subject: Subject): Verdict {
  const custom = firstMatch(decider.custom, subject);
  // No provider can be configured yet, and one that cannot be asked denies what its policy matches.
  if (custom) return denialOf("denied_by_provider", custom);
  const denying = firstMatch(decider.deny, subject);
  if (denying) return denialOf("denied_by_policy", denying);
  // A workload without ALLOW policies is open: enrolling a namespace must not cut its traffic.
  if (!decider.hasAllow) return { kind: "permit", permit: PERMIT };
  const allowing = firstMatch(decider.allow, subject);
  if (!allowing) return { kind: "deny", reason: "not_allowed" };
  const by = { policy: allowing.policy.ref, rule: allowing.rule.index };
  return { kind: "permit", permit: PERMIT, by };
}

/** The match of lowest order, so that the reported rule does not depend on the shape of the index. */
function firstMatch(index: ClauseIndex, subject: Subject): Clause | undefined {
  if (isEmpty(index)) return undefined;
  const lists: (readonly Clause[])[] = [];
  collectCandidates(index, subject, lists);
  let best: Clause | undefined;
  for (const list of lists) {
    for (const clause of list) {
      if (best && clause.order >= best.order) break;
      if (matchesClause(clause, subject)) {
        best = clause;
        break;
      }
    }
  }
  return best;
}

function observe(index: ClauseIndex, subject: Subject): readonly Observation[] {
  const lists: (readonly Clause[])[] = [];
  collectCandidates(index, subject, lists);
  const firsts = new Map<string, Clause>();
  for (const clause of lists.flat()) {
    const known = firsts.get(clause.policy.ref);
    if ((!known || clause.order < known.order) && matchesClause(clause, subject)) {
      firsts.set(clause.policy.ref, clause);
    }
  }
  return [...firsts.values()]
    .toSorted((a, b) => a.order - b.order)
    .map(({ policy, rule }) => ({
      policy: policy.ref,
      rule: rule.index,
      action: policy.action,
      dryRun: policy.dryRun,
    }));
}

function dryRunOutcome(decider: Decider, { verdict, observed }: Decision): DryRunOutcome {
  const dry = observed.filter(({ dryRun }) => dryRun);
  if (dry.some(({ action }) => action === "DENY" || action === "CUSTOM")) return "deny";
  if (verdict.kind === "deny" && verdict.reason !== "not_allowed") return "deny";
  const isAllowed = verdict.kind === "permit" && verdict.by !== undefined;
  if (isAllowed || dry.some(({ action }) => action === "ALLOW")) return "permit";
  return decider.hasAllow || decider.dryRun.hasAllow ? "deny" : "permit";
}

function isEmpty(index: ClauseIndex): boolean {
  return Array.isArray(index) && index.length === 0;
}

function denied(verdict: Denial): Decision {
  return { verdict, observed: NOTHING };
}
