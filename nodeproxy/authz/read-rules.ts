/**
 * Which rules does a policy have for an attempt of which only some attributes can be seen?
 *
 * An ALLOW rule that needs what nobody could look at is dropped whole. From the other actions the
 * attribute is erased and the rest stays, so they get wider, never a no-op.
 */
import type {
  CompiledPolicy,
  Condition,
  Operation,
  Rule,
  Source,
} from "../../core/model/authorization-policy.ts";
import { isLayer7Condition } from "../../core/model/layer7-condition.ts";
import type { Attempt } from "./attempt.ts";

/** Bits of HTTP, REMOTE and SNI: what beyond layer 4 somebody looked at. */
export type Seen = number;
export const HTTP = 1;
export const REMOTE = 2;
const SNI = 4;

/** Matches everything: stands for an invalid DENY or CUSTOM, which denies all that it selects. */
const MATCH_ALL: Rule = { index: -1, from: [], to: [], when: [] };
const INVALID_DENIES: readonly Rule[] = [MATCH_ALL];

export function seenIn({ http, remoteIp, sni }: Attempt): Seen {
  return (http ? HTTP : 0) | (remoteIp ? REMOTE : 0) | (sni === undefined ? 0 : SNI);
}

/** An invalid ALLOW (or AUDIT) matches nothing, an invalid DENY or CUSTOM everything. */
export function effectiveRules(policy: CompiledPolicy): readonly Rule[] {
  if (!policy.invalid) return policy.rules;
  return policy.action === "DENY" || policy.action === "CUSTOM" ? INVALID_DENIES : [];
}

export function readRules(policy: CompiledPolicy, seen: Seen): readonly Rule[] {
  const rules = effectiveRules(policy);
  if (rules.every((rule) => isSeen(neededBy(rule), seen))) return rules;
  if (policy.action === "ALLOW") return rules.filter((rule) => isSeen(neededBy(rule), seen));
  return rules.map((rule) => eraseUnseen(rule, seen));
}

/** Everything that the rule asks for beyond layer 4. */
export function neededBy({ from, to, when }: Rule): Seen {
  let needed = 0;
  for (const source of from) needed |= neededBySource(source);
  for (const operation of to) if (operation.layer7) needed |= HTTP;
  for (const condition of when) needed |= neededByCondition(condition);
  return needed;
}

function neededByCondition(condition: Condition): Seen {
  if (!isLayer7Condition(condition)) return 0;
  switch (condition.key) {
    case "connection.sni":
      return SNI;
    case "remote.ip":
      return REMOTE;
    case "request.headers":
    case "request.auth.principal":
    case "request.auth.audiences":
    case "request.auth.presenter":
    case "request.auth.claims":
      return HTTP;
  }
}

function neededBySource({ layer7 }: Source): Seen {
  if (!layer7) return 0;
  const asksHttp = layer7.requestPrincipals.length + layer7.notRequestPrincipals.length > 0;
  const asksRemote = layer7.remoteIpBlocks.length + layer7.notRemoteIpBlocks.length > 0;
  return (asksHttp ? HTTP : 0) | (asksRemote ? REMOTE : 0);
}

export function isSeen(needed: Seen, seen: Seen): boolean {
  return (needed & ~seen) === 0;
}

function eraseUnseen(rule: Rule, seen: Seen): Rule {
  if (isSeen(neededBy(rule), seen)) return rule;
  return {
    index: rule.index,
    // One that asks for nothing any more matches everything, and with it the whole list does.
    from: rule.from.map((source) => eraseFromSource(source, seen)),
    to: rule.to.map((operation) => eraseFromOperation(operation, seen)),
    when: rule.when.filter((condition) => isSeen(neededByCondition(condition), seen)),
  };
}

function eraseFromSource(source: Source, seen: Seen): Source {
  const { layer7, ...layer4 } = source;
  if (!layer7 || isSeen(neededBySource(source), seen)) return source;
  const isHttp = isSeen(HTTP, seen);
  const isRemote = isSeen(REMOTE, seen);
  return {
    ...layer4,
    layer7: {
      requestPrincipals: isHttp ? layer7.requestPrincipals : [],
      notRequestPrincipals: isHttp ? layer7.notRequestPrincipals : [],
      remoteIpBlocks: isRemote ? layer7.remoteIpBlocks : [],
      notRemoteIpBlocks: isRemote ? layer7.notRemoteIpBlocks : [],
    },
  };
}

function eraseFromOperation({ layer7, ...layer4 }: Operation, seen: Seen): Operation {
  return layer7 && isSeen(HTTP, seen) ? { ...layer4, layer7 } : layer4;
}
