/**
 * Reads a RequestAuthentication, the whole schema, and says what is wrong with it and where.
 *
 * Admission refuses by it and the index reads by it, so both agree. Key sets themselves are read where
 * tokens are verified; here an inline one only has to be a set with keys.
 */
import type { JwtRule } from "../../core/model/request-authentication.ts";
import { isObjectOf, listOf, member, type Reason, refuse, rootField } from "./fields.ts";
import { parseJwtRule } from "./jwt-rule.ts";
import { type Envelope, type PolicyMetadata, parseEnvelope } from "./policy-metadata.ts";
import { parseWorkloadScope, type WorkloadScope } from "./workload-scope.ts";

export interface RequestAuthenticationObject {
  readonly metadata: PolicyMetadata;
  readonly scope: WorkloadScope;
  readonly rules: readonly JwtRule[];
}

export type ParsedRequestAuthentication =
  | {
      readonly kind: "accepted";
      readonly value: RequestAuthenticationObject;
      readonly warnings: readonly Reason[];
    }
  | {
      readonly kind: "refused";
      readonly reasons: readonly Reason[];
      /** Present in the cluster all the same (webhook down): what it selects takes no request. */
      readonly present?: Omit<RequestAuthenticationObject, "rules">;
    };

/** Istio's bound. */
const MAX_RULES = 64;

export function parseRequestAuthentication(object: unknown): ParsedRequestAuthentication {
  const reasons: Reason[] = [];
  const envelope = parseEnvelope(rootField(object, reasons), {
    kind: "RequestAuthentication",
    namespaced: true,
  });
  if (!envelope) return { kind: "refused", reasons };
  const value = read(envelope, reasons);
  const { metadata, scope, rules } = value;
  if (reasons.length > 0) return { kind: "refused", reasons, present: { metadata, scope } };
  return { kind: "accepted", value, warnings: rules.flatMap(plaintextKeys) };
}

function read({ metadata, spec }: Envelope, reasons: Reason[]): RequestAuthenticationObject {
  const field = spec ?? { value: {}, path: "spec", reasons };
  isObjectOf(field, ["selector", "targetRefs", "jwtRules"]);
  const rules = member(field, "jwtRules");
  const isEmpty = !rules || (Array.isArray(rules.value) && rules.value.length === 0);
  if (rules && Array.isArray(rules.value) && rules.value.length > MAX_RULES) {
    refuse(rules, `at most ${MAX_RULES} rules`);
  }
  return {
    metadata,
    scope: parseWorkloadScope(field),
    // None takes no token, and refuses none.
    rules: isEmpty ? [] : listOf(field, "jwtRules", parseJwtRule),
  };
}

function plaintextKeys({ keys, issuer }: JwtRule, i: number): readonly Reason[] {
  const uri = keys.kind === "discovered" ? issuer : keys.kind === "uri" ? keys.uri : "";
  if (!uri.startsWith("http:")) return [];
  const field = `spec.jwtRules[${i}].${keys.kind === "uri" ? "jwksUri" : "issuer"}`;
  const message = "keys come over plaintext: whoever is on the way can put in its own";
  return [{ field, message }];
}
