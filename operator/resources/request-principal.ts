/** Reads one `issuer/subject` of `requestPrincipals`. Issuers are URLs, so it is split at the last `/`. */
import type { RequestPrincipalMatch, StringMatch } from "../../core/model/authorization-policy.ts";
import { type Field, text } from "./fields.ts";
import { parseStringMatch } from "./string-match.ts";

const ANY: StringMatch = { kind: "present" };

/**
 * As Istio reads it: a star at the front widens the issuer (without a `/`: the subject), one at the end
 * the subject (without a `/`: the issuer); the other half is then exact, or any where there is none.
 */
export function parseRequestPrincipal(field: Field): RequestPrincipalMatch | undefined {
  const form = parseStringMatch(field);
  const value = text(field);
  if (!form || value === undefined) return undefined;
  const slash = value.lastIndexOf("/");
  if (slash >= 0) {
    return { issuer: match(value.slice(0, slash)), subject: match(value.slice(slash + 1)) };
  }
  switch (form.kind) {
    case "present":
      return { issuer: ANY, subject: ANY };
    case "suffix":
      return { issuer: ANY, subject: form };
    case "prefix":
      return { issuer: form, subject: ANY };
    case "exact":
      return { issuer: form, subject: { kind: "exact", value: "" } };
  }
}

/** Of one half, whose stars were checked with the whole. */
function match(half: string): StringMatch {
  if (half === "*") return ANY;
  if (half.startsWith("*")) return { kind: "suffix", value: half.slice(1) };
  if (half.endsWith("*")) return { kind: "prefix", value: half.slice(0, -1) };
  return { kind: "exact", value: half };
}
