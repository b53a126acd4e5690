/**
 * The clauses of one source, operation or condition, each with what it wants, what was seen, and
 * whether that matches. For `explain()` only: the matchers are those of `decide()`, everything else
 * is made for people to read.
 */
import type {
  Condition,
  Operation,
  OperationLayer7,
  PathMatch,
  RequestPrincipalMatch,
  Rule,
  ServiceAccountRef,
  Source,
  SourceLayer7,
} from "../../core/model/authorization-policy.ts";
import { type Cidr, formatIp } from "../../core/model/ip.ts";
import { matchesFrom, matchesTo, matchesWhen } from "./match.ts";
import { isSeen, neededBy, type Seen } from "./read-rules.ts";
import type { Subject } from "./subject.ts";
import { valueSeen } from "./value-seen.ts";

export interface ClauseTrace {
  /** `principals`, `notPaths`, `when` keys as written: the field of the object. */
  readonly field: string;
  readonly wanted: readonly string[];
  /** The attempt's own value, in all its forms; empty where it has none. */
  readonly seen: readonly string[];
  readonly outcome: "match" | "no_match" | "unseen";
}

/** With whose eyes is looked: what the attempt shows, and for a rule of which action. */
export interface Look {
  readonly subject: Subject;
  readonly seen: Seen;
  readonly isAllow: boolean;
}

type Value = PathMatch | RequestPrincipalMatch | ServiceAccountRef | Cidr | number;

const NO_SOURCE: Source = {
  principals: [],
  notPrincipals: [],
  namespaces: [],
  notNamespaces: [],
  serviceAccounts: [],
  notServiceAccounts: [],
  trustDomains: [],
  notTrustDomains: [],
  ipBlocks: [],
  notIpBlocks: [],
};
const NO_REQUESTER: SourceLayer7 = {
  requestPrincipals: [],
  notRequestPrincipals: [],
  remoteIpBlocks: [],
  notRemoteIpBlocks: [],
};
const NO_OPERATION: Operation = { ports: [], notPorts: [] };
const NO_REQUEST: OperationLayer7 = {
  hosts: [],
  notHosts: [],
  methods: [],
  notMethods: [],
  paths: [],
  notPaths: [],
};

/** Each field is asked by itself: a source in which nothing else is written. */
export function traceSource({ layer7, ...layer4 }: Source, look: Look): readonly ClauseTrace[] {
  const sources: readonly (readonly [string, List, Source])[] = [
    ...lists(layer4).map(
      ([field, list]) => [field, list, { ...NO_SOURCE, [field]: list }] as const,
    ),
    ...lists(layer7).map(
      ([field, list]) =>
        [field, list, { ...NO_SOURCE, layer7: { ...NO_REQUESTER, [field]: list } }] as const,
    ),
  ];
  return sources.map(([field, list, source]) =>
    traced({ ...EMPTY_RULE, from: [source] }, { field, list, look }),
  );
}

export function traceOperation(
  { layer7, ...layer4 }: Operation,
  look: Look,
): readonly ClauseTrace[] {
  const operations: readonly (readonly [string, List, Operation])[] = [
    ...lists(layer4).map(
      ([field, list]) => [field, list, { ...NO_OPERATION, [field]: list }] as const,
    ),
    ...lists(layer7).map(
      ([field, list]) =>
        [field, list, { ...NO_OPERATION, layer7: { ...NO_REQUEST, [field]: list } }] as const,
    ),
  ];
  return operations.map(([field, list, operation]) =>
    traced({ ...EMPTY_RULE, to: [operation] }, { field, list, look }),
  );
}

/** `values` and `notValues` by themselves, but for headers: there both must hold for the same line. */
export function traceCondition(condition: Condition, look: Look): readonly ClauseTrace[] {
  const { values, notValues } = condition;
  const field = keyText(condition);
  const rule = { ...EMPTY_RULE, when: [condition] };
  if (condition.key === "request.headers") {
    const clause = traced(rule, { field, list: values, look });
    const not = notValues.map((value) => `not ${valueText(value)}`);
    return [{ ...clause, wanted: [...clause.wanted, ...not] }];
  }
  const positive = { ...EMPTY_RULE, when: [{ ...condition, notValues: [] }] };
  const negative = { ...EMPTY_RULE, when: [{ ...condition, values: [] }] };
  return [
    ...(values.length > 0 ? [traced(positive, { field, list: values, look })] : []),
    ...(notValues.length > 0
      ? [{ ...traced(negative, { field, list: notValues, look }), field: `${field} notValues` }]
      : []),
  ];
}

type List = readonly Value[];

const EMPTY_RULE: Rule = { index: 0, from: [], to: [], when: [] };

interface Field {
  readonly field: string;
  readonly list: List;
  readonly look: Look;
}

/** `rule` holds that one field and nothing else. */
function traced(rule: Rule, { field, list, look }: Field): ClauseTrace {
  const { subject, seen, isAllow } = look;
  const wanted = list.map(valueText);
  if (!isSeen(neededBy(rule), seen)) return { field, wanted, seen: [], outcome: "unseen" };
  const isMatched =
    matchesFrom(rule.from, subject) &&
    matchesTo(rule.to, subject) &&
    matchesWhen(rule.when, subject, isAllow);
  const outcome = isMatched ? "match" : "no_match";
  return { field, wanted, seen: valueSeen(field, rule.when[0], subject), outcome };
}

/** The lists of a source or an operation in which something is written, by name. */
function lists(fields: object = {}): readonly (readonly [string, List])[] {
  const all: [string, List][] = Object.entries(fields);
  return all.filter(([, list]) => list.length > 0);
}

/** The key of a condition as it is written in the object. */
function keyText(condition: Condition): string {
  const { key } = condition;
  if (condition.key === "request.headers") return `${key}[${condition.name}]`;
  if (condition.key !== "request.auth.claims") return key;
  return key + condition.path.map((name) => `[${name}]`).join("");
}

/** A value as it is written in the object. */
function valueText(value: Value): string {
  if (typeof value === "number") return `${value}`;
  if ("bytes" in value) return `${formatIp(value.bytes)}/${value.prefixLength}`;
  if ("issuer" in value) return `${valueText(value.issuer)}/${valueText(value.subject)}`;
  if ("namespace" in value) return `${value.namespace}/${value.name}`;
  switch (value.kind) {
    case "present":
      return "*";
    case "prefix":
      return `${value.value}*`;
    case "suffix":
      return `*${value.value}`;
    case "exact":
    case "template":
      return value.value;
  }
}
