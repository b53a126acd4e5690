/**
 * What do the RequestAuthentications of a pod make of a request before policies see it, as far as that can be told
 * without its token? Its signature, audience and time are taken for good, and it for standing where rules look. Pure.
 */
import type { Enrolment } from "../../core/model/enrolment.ts";
import type { JwtRule, RequestAuthentication } from "../../core/model/request-authentication.ts";
import type { Attempt } from "../authz/attempt.ts";
import type { MeshView } from "./mesh-view.ts";
import type { JudgedAuthentication, TokenDenial } from "./why-answer.ts";

export interface JudgedToken {
  /** In the order of their names. */
  readonly authentications: readonly JudgedAuthentication[];
  /** Absent where the attempt has no token. */
  readonly token?: "taken" | "not_looked_at";
  /** Answered 401, before policies are asked. */
  readonly refused?: TokenDenial;
  /** What policies see: claims only of a token that is taken. */
  readonly attempt: Attempt;
}

export function judgeToken(
  { requestAuthentications: known }: MeshView,
  { requestAuthentications: refs = [] }: Enrolment,
  attempt: Attempt,
): JudgedToken {
  const authentications = refs.map((ref) => judged(ref, known.get(ref)));
  const { http } = attempt;
  if (!http) return { authentications, attempt };
  const refused = refusalOf(authentications);
  if (refused || !http.claims) return { authentications, attempt, ...(refused ? { refused } : {}) };
  const issuers = authentications.flatMap((each) => each.issuers.map(({ issuer }) => issuer));
  if (issuers.some((issuer) => issuer === http.claims?.["iss"])) {
    return { authentications, attempt, token: "taken" };
  }
  const unseen = { authentications, attempt: withoutClaims(attempt) };
  // Without a rule nobody looks for tokens; with one, those of others are refused.
  return issuers.length === 0
    ? { ...unseen, token: "not_looked_at" }
    : { ...unseen, refused: "issuer_unknown" };
}

function judged(policy: string, found: RequestAuthentication | undefined): JudgedAuthentication {
  if (!found) return { policy, state: "missing", issuers: [] };
  if (found.invalid) return { policy, state: "unreadable", issuers: [] };
  const issuers = found.rules.map((rule) => ({ issuer: rule.issuer, places: placesOf(rule) }));
  return { policy, state: "applies", issuers };
}

function placesOf({ fromHeaders, fromParams, fromCookies }: JwtRule): readonly string[] {
  return [
    ...fromHeaders.map(({ name, prefix }) => `header ${name}${prefix === "" ? "" : `: ${prefix}`}`),
    ...fromParams.map((name) => `parameter ${name}`),
    ...fromCookies.map((name) => `cookie ${name}`),
  ].map((place) => place.trimEnd());
}

function refusalOf(authentications: readonly JudgedAuthentication[]): TokenDenial | undefined {
  const states = new Set(authentications.map(({ state }) => state));
  if (states.has("missing")) return "authentication_missing";
  return states.has("unreadable") ? "authentication_unreadable" : undefined;
}

function withoutClaims(attempt: Attempt): Attempt {
  const { http } = attempt;
  if (!http) return attempt;
  const { claims: _unseen, ...seen } = http;
  return { ...attempt, http: seen };
}
