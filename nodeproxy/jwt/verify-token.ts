/**
 * Is this token what its issuer signed, and does it hold now? Signature, time and audience; the issuer was
 * compared when the rule was chosen. The one place that calls `jose`.
 */
import { errors, jwtVerify } from "jose";
import type { JwtRule } from "../../core/model/request-authentication.ts";
import type { KeySet, VerificationKey } from "./key-set.ts";
import type { UnverifiedToken } from "./read-token.ts";
import type { JwtRefusal } from "./refusal.ts";

export type TokenVerdict =
  | { readonly kind: "valid" }
  | { readonly kind: "refused"; readonly reason: JwtRefusal };

export interface VerifyQuestion {
  readonly text: string;
  readonly token: UnverifiedToken;
  readonly rule: JwtRule;
  readonly keys: KeySet;
  readonly nowMs: number;
}

/** Between the issuer's clock and ours, as Envoy allows. */
const SKEW_S = 60;
/** A token without a key id may be of any of them; few issuers have more than two. */
const MAX_TRIES = 8;
const VALID: TokenVerdict = { kind: "valid" };

export async function verifyToken(question: VerifyQuestion): Promise<TokenVerdict> {
  const candidates = candidatesFor(question.token, question.keys);
  if (typeof candidates === "string") return { kind: "refused", reason: candidates };
  let reason: JwtRefusal = "signature_invalid";
  for (const { key } of candidates.slice(0, MAX_TRIES)) {
    const refusal = await refusalBy(question, key);
    if (refusal === undefined) return VALID;
    reason = refusal;
    // The others would say no more of a token that this key has signed.
    if (refusal !== "signature_invalid") break;
  }
  return { kind: "refused", reason };
}

/** Whether the set knows the key that the token names: if not, a newer set might. */
export function knowsKey({ keyId }: UnverifiedToken, keys: KeySet): boolean {
  return keys.some((key) => isNamed(key, keyId));
}

function candidatesFor(
  { algorithm, keyId }: UnverifiedToken,
  keys: KeySet,
): KeySet | "key_unknown" | "algorithm_refused" {
  const named = keys.filter((key) => isNamed(key, keyId));
  if (named.length === 0) return "key_unknown";
  // RFC 8725 3.1: each key with exactly its algorithms, whatever the token asks for.
  const fitting = named.filter(({ algorithms }) => algorithms.includes(algorithm));
  return fitting.length === 0 ? "algorithm_refused" : fitting;
}

/** A key without an id may be any. */
function isNamed(key: VerificationKey, keyId: string | undefined): boolean {
  return keyId === undefined || key.keyId === undefined || key.keyId === keyId;
}

async function refusalBy(
  { text, token, rule, nowMs }: VerifyQuestion,
  key: VerificationKey["key"],
): Promise<JwtRefusal | undefined> {
  try {
    await jwtVerify(text, key, {
      algorithms: [token.algorithm],
      issuer: rule.issuer,
      ...(rule.audiences.length === 0 ? {} : { audience: [...rule.audiences] }),
      clockTolerance: SKEW_S,
      currentDate: new Date(nowMs),
    });
    return undefined;
  } catch (error) {
    return reasonOf(error);
  }
}

function reasonOf(error: unknown): JwtRefusal {
  if (error instanceof errors.JWTExpired) return "token_expired";
  if (error instanceof errors.JWSSignatureVerificationFailed) return "signature_invalid";
  if (error instanceof errors.JWTClaimValidationFailed) {
    if (error.claim === "nbf") return "token_not_yet_valid";
    return error.claim === "aud" ? "audience_refused" : "token_malformed";
  }
  // What it would not read: an unknown `crit`, an algorithm without an implementation, a signature of a wrong length.
  return "token_malformed";
}
