/**
 * Does a rule match an attempt? The matchers that `decide()` and `explain()` share; pure.
 *
 * A missing value satisfies no list, so its negation holds: plaintext matches `notPrincipals`.
 */
import type { Condition, Operation, Rule, Source } from "../../core/model/authorization-policy.ts";
import type { Subject } from "./attempt.ts";
import { isAccountIn, isInAnyBlock, matchesAnyText } from "./match-list.ts";

export function matchesRule(rule: Rule, subject: Subject): boolean {
  return (
    matchesTo(rule.to, subject) &&
    matchesFrom(rule.from, subject) &&
    rule.when.every((condition) => matchesCondition(condition, subject))
  );
}

export function matchesFrom(from: readonly Source[], subject: Subject): boolean {
  return from.length === 0 || from.some((source) => matchesSource(source, subject));
}

export function matchesTo(to: readonly Operation[], { attempt }: Subject): boolean {
  const port = attempt.destinationPort;
  return (
    to.length === 0 ||
    to.some(
      ({ ports, notPorts }) => allows(ports, ports.includes(port)) && !notPorts.includes(port),
    )
  );
}

export function matchesSource(source: Source, subject: Subject): boolean {
  const { attempt, principals, trustDomains, namespaces } = subject;
  return (
    allows(source.principals, matchesAnyText(source.principals, principals)) &&
    allows(source.namespaces, matchesAnyText(source.namespaces, namespaces)) &&
    allows(source.serviceAccounts, isAccountIn(source.serviceAccounts, attempt.peer)) &&
    allows(source.trustDomains, matchesAnyText(source.trustDomains, trustDomains)) &&
    allows(source.ipBlocks, isInAnyBlock(source.ipBlocks, attempt.sourceIp)) &&
    !matchesAnyText(source.notPrincipals, principals) &&
    !matchesAnyText(source.notNamespaces, namespaces) &&
    !isAccountIn(source.notServiceAccounts, attempt.peer) &&
    !matchesAnyText(source.notTrustDomains, trustDomains) &&
    !isInAnyBlock(source.notIpBlocks, attempt.sourceIp)
  );
}

export function matchesCondition(condition: Condition, subject: Subject): boolean {
  const { attempt } = subject;
  switch (condition.key) {
    case "source.principal":
      return holds(condition, (list) => matchesAnyText(list, subject.principals));
    case "source.namespace":
      return holds(condition, (list) => matchesAnyText(list, subject.namespaces));
    case "source.trustDomain":
      return holds(condition, (list) => matchesAnyText(list, subject.trustDomains));
    case "source.serviceAccount":
      return holds(condition, (list) => isAccountIn(list, attempt.peer));
    case "source.ip":
      return holds(condition, (list) => isInAnyBlock(list, attempt.sourceIp));
    case "destination.ip":
      return holds(condition, (list) => isInAnyBlock(list, attempt.destinationIp));
    case "destination.port":
      return holds(condition, (list) => list.includes(attempt.destinationPort));
  }
}

/** `values` and `notValues` ANDed. */
function holds<T>(
  { values, notValues }: { readonly values: readonly T[]; readonly notValues: readonly T[] },
  matches: (list: readonly T[]) => boolean,
): boolean {
  return allows(values, values.length > 0 && matches(values)) && !matches(notValues);
}

/** An empty list does not constrain. */
function allows(list: readonly unknown[], matched: boolean): boolean {
  return list.length === 0 || matched;
}
