/** Compiled RequestAuthentications as protobuf. Total: every value of the model has a form on the wire. */
import { create } from "@bufbuild/protobuf";
import type { JwtRule, KeySource, RequestAuthentication } from "../model/request-authentication.ts";
import * as wire from "./gen/weft/v1/node_pb.ts";

/** Its `ref` travels as the name of the resource. */
export function encodeRequestAuthentication({
  invalid,
  rules,
}: RequestAuthentication): wire.RequestAuthentication {
  return create(wire.RequestAuthenticationSchema, { invalid, rules: rules.map(encodeRule) });
}

function encodeRule(rule: JwtRule): wire.JwtRule {
  const { issuer, outputPayloadToHeader, forwardOriginalToken, timeoutMs } = rule;
  return create(wire.JwtRuleSchema, {
    issuer,
    outputPayloadToHeader,
    forwardOriginalToken,
    timeoutMs,
    audiences: [...rule.audiences],
    keys: encodeKeys(rule.keys),
    fromHeaders: rule.fromHeaders.map((header) => create(wire.TokenHeaderSchema, header)),
    fromParams: [...rule.fromParams],
    fromCookies: [...rule.fromCookies],
    outputClaimToHeaders: rule.outputClaimToHeaders.map(({ header, claim }) =>
      create(wire.ClaimToHeaderSchema, { header, claim: [...claim] }),
    ),
  });
}

function encodeKeys(keys: KeySource): wire.JwtRule["keys"] {
  switch (keys.kind) {
    case "inline":
      return { case: "jwks", value: keys.jwks };
    case "uri":
      return { case: "jwksUri", value: keys.uri };
    case "discovered":
      return { case: "discovered", value: true };
  }
}
