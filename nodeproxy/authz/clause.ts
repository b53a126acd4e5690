/**
 * The unit of the index: one rule with at most one of its sources.
 *
 * A rule with several sources becomes several clauses, any of which suffices. A clause lists, for
 * each dimension of an attempt, the keys of which a matching attempt must have one.
 */
import type {
  CompiledPolicy,
  Condition,
  Rule,
  ServiceAccountRef,
  Source,
  StringMatch,
} from "../../core/model/authorization-policy.ts";
import type { Cidr } from "../../core/model/ip.ts";
import type { Subject } from "./attempt.ts";
import { blockKey } from "./block-key.ts";
import { matchesCondition, matchesSource, matchesTo } from "./match.ts";

export interface Clause {
  /** Place among all rules of the set: policies by name, then rules as written. The lowest match is the one reported. */
  readonly order: number;
  readonly policy: CompiledPolicy;
  readonly rule: Rule;
  /** Absent where the rule has no `from`. */
  readonly source: Source | undefined;
}

export type Dimension =
  | "principal"
  | "serviceAccount"
  | "namespace"
  | "trustDomain"
  | "sourceIp"
  | "destinationIp"
  | "port";

/** The most selective first: of two equally crowded dimensions the first is taken. */
export const DIMENSIONS: readonly Dimension[] = [
  "principal",
  "serviceAccount",
  "namespace",
  "sourceIp",
  "port",
  "destinationIp",
  "trustDomain",
];

export type Key = string | number;

/** What matches everything: stands for an invalid DENY or CUSTOM, which denies all that it selects. */
const MATCH_ALL: Rule = { index: -1, from: [], to: [], when: [] };

/** Clauses of the policies in their order. Invalid ones that must not decide have none. */
export function clausesOf(policies: readonly CompiledPolicy[]): readonly Clause[] {
  const clauses: Clause[] = [];
  let order = 0;
  for (const policy of policies) {
    for (const rule of effectiveRules(policy)) {
      const place = { order, policy, rule };
      if (rule.from.length === 0) clauses.push({ ...place, source: undefined });
      // One by one: a rule may have more sources than a call may have arguments.
      rule.from.forEach((source) => clauses.push({ ...place, source }));
      order += 1;
    }
  }
  return clauses;
}

/** An invalid ALLOW (or AUDIT) matches nothing, an invalid DENY or CUSTOM everything. */
export function effectiveRules(policy: CompiledPolicy): readonly Rule[] {
  if (!policy.invalid) return policy.rules;
  return policy.action === "DENY" || policy.action === "CUSTOM" ? [MATCH_ALL] : [];
}

export function matchesClause({ rule, source }: Clause, subject: Subject): boolean {
  return (
    matchesTo(rule.to, subject) &&
    (source === undefined || matchesSource(source, subject)) &&
    rule.when.every((condition) => matchesCondition(condition, subject))
  );
}

const KEYS: Readonly<Record<Dimension, (clause: Clause) => readonly Key[] | undefined>> = {
  principal: ({ rule, source }) =>
    texts(source?.principals) ?? texts(wanted(rule, "source.principal")),
  namespace: ({ rule, source }) =>
    texts(source?.namespaces) ?? texts(wanted(rule, "source.namespace")),
  trustDomain: ({ rule, source }) =>
    texts(source?.trustDomains) ?? texts(wanted(rule, "source.trustDomain")),
  serviceAccount: ({ rule, source }) =>
    accounts(source?.serviceAccounts) ?? accounts(wanted(rule, "source.serviceAccount")),
  sourceIp: ({ rule, source }) => blocks(source?.ipBlocks) ?? blocks(wanted(rule, "source.ip")),
  destinationIp: ({ rule }) => blocks(wanted(rule, "destination.ip")),
  port: ({ rule }) => ports(rule) ?? some(wanted(rule, "destination.port")),
};

/** `undefined` where the clause may match whatever the attempt's value in this dimension is. */
export function keysOf(clause: Clause, dimension: Dimension): readonly Key[] | undefined {
  return KEYS[dimension](clause);
}

function wanted<K extends Condition["key"]>(
  rule: Rule,
  key: K,
): Extract<Condition, { readonly key: K }>["values"] | undefined;
function wanted(rule: Rule, key: Condition["key"]): Condition["values"] | undefined {
  return rule.when.find((condition) => condition.key === key && condition.values.length > 0)
    ?.values;
}

/** Values hold no `*` themselves, so a star marks the open end. */
function texts(list: readonly StringMatch[] | undefined): readonly string[] | undefined {
  if (!list || list.length === 0) return undefined;
  const keys: string[] = [];
  for (const match of list) {
    if (match.kind === "present") return undefined;
    if (match.kind === "prefix") keys.push(`${match.value}*`);
    else keys.push(match.kind === "suffix" ? `*${match.value}` : match.value);
  }
  return keys;
}

function accounts(list: readonly ServiceAccountRef[] | undefined): readonly string[] | undefined {
  return some(list)?.map(({ namespace, name }) => `${namespace}/${name}`);
}

function blocks(list: readonly Cidr[] | undefined): readonly Key[] | undefined {
  return some(list)?.map(blockKey);
}

function ports({ to }: Rule): readonly number[] | undefined {
  if (to.length === 0 || to.some((operation) => operation.ports.length === 0)) return undefined;
  return to.length === 1 ? to[0]?.ports : to.flatMap((operation) => operation.ports);
}

function some<T>(list: readonly T[] | undefined): readonly T[] | undefined {
  return list && list.length > 0 ? list : undefined;
}
