/**
 * The unit of the index: one rule with at most one of its sources.
 *
 * A rule with several sources becomes several clauses, any of which suffices.
 */
import type { CompiledPolicy, Rule, Source } from "../../core/model/authorization-policy.ts";
import { hashLongLists } from "./hash-long-lists.ts";
import { matchesSource, matchesTo, matchesWhen } from "./match.ts";
import { readRules, type Seen } from "./read-rules.ts";
import type { Subject } from "./subject.ts";

export interface Clause {
  /** Place of the rule among those it was read with: policies by name, then rules as written. */
  readonly order: number;
  readonly policy: CompiledPolicy;
  readonly rule: Rule;
  /** Absent where the rule has no `from`. */
  readonly source: Source | undefined;
}

/** Clauses of the policies in their order, as far as they can be seen. Invalid ones that must not decide have none. */
export function clausesOf(policies: readonly CompiledPolicy[], seen: Seen): readonly Clause[] {
  const clauses: Clause[] = [];
  let order = 0;
  for (const policy of policies) {
    for (const rule of readRules(policy, seen)) {
      hashLongLists(rule);
      if (rule.from.length === 0) clauses.push(clauseOf(policy, rule, { order }));
      for (const source of rule.from) clauses.push(clauseOf(policy, rule, { order, source }));
      order += 1;
    }
  }
  return clauses;
}

function clauseOf(
  policy: CompiledPolicy,
  rule: Rule,
  { order, source }: { readonly order: number; readonly source?: Source },
): Clause {
  return { order, policy, rule, source };
}

export function matchesClause({ policy, rule, source }: Clause, subject: Subject): boolean {
  return (
    matchesTo(rule.to, subject) &&
    (source === undefined || matchesSource(source, subject)) &&
    matchesWhen(rule.when, subject, policy.action === "ALLOW") &&
    !isAnsweredYes(policy, subject)
  );
}

/** A CUSTOM policy whose provider says yes has nothing more to say; an invalid one denies whatever was said. */
function isAnsweredYes(
  { action, provider, invalid }: CompiledPolicy,
  { attempt }: Subject,
): boolean {
  return (
    action === "CUSTOM" &&
    !invalid &&
    provider !== undefined &&
    attempt.answers?.get(provider) === "permit"
  );
}
