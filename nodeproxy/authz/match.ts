/**
 * Does a rule match an attempt? The matchers that `decide()` and `explain()` share; pure, and they
 * allocate nothing but for lists in claims and headers (so lists are counted through, not iterated).
 *
 * A missing value satisfies no list, so its negation holds: plaintext matches `notPrincipals`. What
 * nobody could look at does not come here: `read-rules.ts` has taken it out.
 */
import type {
  Condition,
  Layer7Condition,
  Operation,
  OperationLayer7,
  RequestPrincipalMatch,
  Source,
  SourceLayer7,
} from "../../core/model/authorization-policy.ts";
import type { Cidr } from "../../core/model/ip.ts";
import { isLayer7Condition } from "../../core/model/layer7-condition.ts";
import { matchesHeader } from "./match-header.ts";
import {
  isAccountIn,
  isInAnyBlock,
  matchesAny,
  matchesAnyRequestPrincipal,
  matchesAnyText,
} from "./match-list.ts";
import type { Subject } from "./subject.ts";
import { claimTexts, textClaim } from "./token-facts.ts";

export function matchesFrom(from: readonly Source[], subject: Subject): boolean {
  for (let i = 0; i < from.length; i += 1) {
    const source = from[i];
    if (source && matchesSource(source, subject)) return true;
  }
  return from.length === 0;
}

export function matchesTo(to: readonly Operation[], subject: Subject): boolean {
  for (let i = 0; i < to.length; i += 1) {
    const operation = to[i];
    if (operation && matchesOperation(operation, subject)) return true;
  }
  return to.length === 0;
}

/** `isAllow`: what a header means depends on what the rule is for. */
export function matchesWhen(
  when: readonly Condition[],
  subject: Subject,
  isAllow: boolean,
): boolean {
  for (let i = 0; i < when.length; i += 1) {
    const condition = when[i];
    if (condition && !matchesCondition(condition, subject, isAllow)) return false;
  }
  return true;
}

export function matchesSource(source: Source, subject: Subject): boolean {
  const { attempt, names } = subject;
  return (
    isWithin(source.principals, matchesAnyText(source.principals, names.principals)) &&
    isWithin(source.namespaces, matchesAnyText(source.namespaces, names.namespaces)) &&
    isWithin(source.serviceAccounts, isAccountIn(source.serviceAccounts, attempt.peer)) &&
    isWithin(source.trustDomains, matchesAnyText(source.trustDomains, names.trustDomains)) &&
    isWithin(source.ipBlocks, isInAnyBlock(source.ipBlocks, attempt.sourceIp)) &&
    !isExcluded(source, subject) &&
    (source.layer7 === undefined || matchesRequester(source.layer7, subject))
  );
}

function isExcluded(source: Source, { attempt, names }: Subject): boolean {
  return (
    matchesAnyText(source.notPrincipals, names.principals) ||
    matchesAnyText(source.notNamespaces, names.namespaces) ||
    isAccountIn(source.notServiceAccounts, attempt.peer) ||
    matchesAnyText(source.notTrustDomains, names.trustDomains) ||
    isInAnyBlock(source.notIpBlocks, attempt.sourceIp)
  );
}

function matchesRequester(layer7: SourceLayer7, subject: Subject): boolean {
  const { requestPrincipals, remoteIpBlocks } = layer7;
  return (
    isWithin(requestPrincipals, isRequester(requestPrincipals, subject)) &&
    !isRequester(layer7.notRequestPrincipals, subject) &&
    isWithin(remoteIpBlocks, isRemoteIn(remoteIpBlocks, subject)) &&
    !isRemoteIn(layer7.notRemoteIpBlocks, subject)
  );
}

function matchesOperation(operation: Operation, subject: Subject): boolean {
  const { ports, notPorts, layer7 } = operation;
  const { destinationPort } = subject.attempt;
  return (
    isWithin(ports, ports.includes(destinationPort)) &&
    !notPorts.includes(destinationPort) &&
    (layer7 === undefined || matchesRequest(layer7, subject))
  );
}

function matchesRequest(layer7: OperationLayer7, { attempt, hosts }: Subject): boolean {
  const { http } = attempt;
  // Never reached without: what is not seen was taken out before.
  if (!http) return false;
  return (
    isWithin(layer7.hosts, matchesAnyText(layer7.hosts, hosts)) &&
    isWithin(layer7.methods, matchesAny(layer7.methods, http.method)) &&
    isWithin(layer7.paths, matchesAny(layer7.paths, http.path)) &&
    !matchesAnyText(layer7.notHosts, hosts) &&
    !matchesAny(layer7.notMethods, http.method) &&
    !matchesAny(layer7.notPaths, http.path)
  );
}

function matchesCondition(condition: Condition, subject: Subject, isAllow: boolean): boolean {
  if (isLayer7Condition(condition)) return matchesLayer7Condition(condition, subject, isAllow);
  const { attempt, names } = subject;
  switch (condition.key) {
    case "source.principal":
      return holdsForTexts(condition, names.principals);
    case "source.namespace":
      return holdsForTexts(condition, names.namespaces);
    case "source.trustDomain":
      return holdsForTexts(condition, names.trustDomains);
    case "source.serviceAccount": {
      const { values, notValues } = condition;
      return (
        isWithin(values, isAccountIn(values, attempt.peer)) && !isAccountIn(notValues, attempt.peer)
      );
    }
    case "source.ip":
      return holdsForAddress(condition, attempt.sourceIp);
    case "destination.ip":
      return holdsForAddress(condition, attempt.destinationIp);
    case "destination.port": {
      const { values, notValues } = condition;
      const port = attempt.destinationPort;
      return isWithin(values, values.includes(port)) && !notValues.includes(port);
    }
  }
}

function matchesLayer7Condition(
  condition: Layer7Condition,
  subject: Subject,
  isAllow: boolean,
): boolean {
  const { http, remoteIp } = subject.attempt;
  const claims = http?.claims;
  switch (condition.key) {
    case "remote.ip":
      return holdsForAddress(condition, remoteIp);
    case "connection.sni":
      return holdsForTexts(condition, subject.serverNames);
    case "request.headers":
      return matchesHeader(condition, http?.headers, isAllow);
    case "request.auth.principal":
      return (
        isWithin(condition.values, isRequester(condition.values, subject)) &&
        !isRequester(condition.notValues, subject)
      );
    case "request.auth.audiences":
      return holdsForTexts(condition, claimTexts(claims, AUDIENCE));
    case "request.auth.presenter":
      return holdsForTexts(condition, claimTexts(claims, PRESENTER));
    case "request.auth.claims":
      return holdsForTexts(condition, claimTexts(claims, condition.path));
  }
}

/** RFC 7519 4.1.3; OpenID Connect Core 2. */
const AUDIENCE = ["aud"];
const PRESENTER = ["azp"];

function isRequester(list: readonly RequestPrincipalMatch[], { attempt }: Subject): boolean {
  const claims = attempt.http?.claims;
  if (list.length === 0 || !claims) return false;
  return matchesAnyRequestPrincipal(list, textClaim(claims, "iss"), textClaim(claims, "sub"));
}

function isRemoteIn(list: readonly Cidr[], { attempt }: Subject): boolean {
  return attempt.remoteIp !== undefined && isInAnyBlock(list, attempt.remoteIp);
}

type TextCondition = Extract<
  Condition,
  { readonly key: "source.principal" | "connection.sni" | "request.auth.claims" }
>;

/** `values` and `notValues` ANDed. */
function holdsForTexts(
  { values, notValues }: Pick<TextCondition, "values" | "notValues">,
  texts: readonly string[],
): boolean {
  return isWithin(values, matchesAnyText(values, texts)) && !matchesAnyText(notValues, texts);
}

function holdsForAddress(
  { values, notValues }: { readonly values: readonly Cidr[]; readonly notValues: readonly Cidr[] },
  address: readonly number[] = UNKNOWN,
): boolean {
  return isWithin(values, isInAnyBlock(values, address)) && !isInAnyBlock(notValues, address);
}

/** In no block. */
const UNKNOWN: readonly number[] = [];

/** An empty list does not constrain. */
function isWithin(list: readonly unknown[], isMatched: boolean): boolean {
  return list.length === 0 || isMatched;
}
