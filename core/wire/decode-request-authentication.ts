/**
 * Compiled RequestAuthentications from protobuf. One that this version cannot read whole (a newer operator has said
 * something that it does not know) is an invalid one, which fails closed.
 */
import {
  type JwtRule,
  type KeySource,
  MAX_INLINE_JWKS,
  type RequestAuthentication,
} from "../model/request-authentication.ts";
import { hasUnknownField } from "./decode-policy.ts";
import { Findings } from "./findings.ts";
import type * as wire from "./gen/weft/v1/node_pb.ts";

const MAX_TIMEOUT_MS = 600_000;
const NO_KEYS: KeySource = { kind: "discovered" };

interface DecodedAuthentication {
  readonly authentication: RequestAuthentication;
  /** What this version could not read; not empty makes it invalid. */
  readonly unread: readonly string[];
}

export function decodeRequestAuthentication(
  ref: string,
  message: wire.RequestAuthentication,
): DecodedAuthentication {
  const findings = new Findings();
  const { invalid } = message;
  const rules = message.rules.map((rule) => decodeRule(rule, findings));
  if (hasUnknownField(message)) findings.add("a field of a newer version");
  const unread = findings.reasons;
  if (unread.length === 0) return { authentication: { ref, invalid, rules }, unread };
  return { authentication: { ref, invalid: true, rules: [] }, unread };
}

function decodeRule(rule: wire.JwtRule, findings: Findings): JwtRule {
  const { fromHeaders, fromParams, fromCookies } = rule;
  if (rule.issuer === "") findings.add("rules.issuer: missing");
  if (fromHeaders.length + fromParams.length + fromCookies.length === 0) {
    findings.add("rules: tokens are looked for nowhere");
  }
  return {
    issuer: findings.text("rules.issuer", rule.issuer),
    audiences: rule.audiences.map((each) => findings.text("rules.audiences", each)),
    keys: decodeKeys(rule.keys, findings),
    fromHeaders: fromHeaders.map(({ name, prefix }) => ({
      name: findings.name("rules.fromHeaders.name", name),
      prefix: findings.text("rules.fromHeaders.prefix", prefix),
    })),
    fromParams: fromParams.map((name) => findings.text("rules.fromParams", name)),
    fromCookies: fromCookies.map((name) => findings.text("rules.fromCookies", name)),
    outputPayloadToHeader: findings.optionalName(
      "rules.outputPayloadToHeader",
      rule.outputPayloadToHeader,
    ),
    outputClaimToHeaders: rule.outputClaimToHeaders.map(({ header, claim }) => {
      if (claim.length === 0) findings.add("rules.outputClaimToHeaders.claim: missing");
      return {
        header: findings.name("rules.outputClaimToHeaders.header", header),
        claim: claim.map((name) => findings.text("rules.outputClaimToHeaders.claim", name)),
      };
    }),
    forwardOriginalToken: rule.forwardOriginalToken,
    timeoutMs: findings.integer("rules.timeoutMs", rule.timeoutMs, [1, MAX_TIMEOUT_MS]),
  };
}

function decodeKeys(keys: wire.JwtRule["keys"], findings: Findings): KeySource {
  switch (keys.case) {
    case "jwks":
      findings.integer("rules.jwks.length", keys.value.length, [0, MAX_INLINE_JWKS]);
      return { kind: "inline", jwks: keys.value };
    case "jwksUri":
      return { kind: "uri", uri: findings.text("rules.jwksUri", keys.value) };
    case "discovered":
      if (keys.value) return NO_KEYS;
      break;
    case undefined:
      break;
  }
  findings.add("rules.keys: of no known kind");
  return NO_KEYS;
}
