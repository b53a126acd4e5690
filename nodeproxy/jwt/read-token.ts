/** What a token says of itself, before anybody has verified it: only to find out by which key that can be done. */
import type { Claims } from "../authz/attempt.ts";

export interface UnverifiedToken {
  readonly algorithm: string;
  /** `undefined`: any of the issuer's keys. */
  readonly keyId: string | undefined;
  readonly issuer: string;
  readonly claims: Claims;
  /** As it stands in the token. */
  readonly payload: string;
}

export type ReadToken =
  | { readonly kind: "token"; readonly token: UnverifiedToken }
  | { readonly kind: "refused"; readonly reason: "token_malformed" | "token_too_large" };

/** Servers take a header of 8 to 16 KiB. */
const MAX_LENGTH = 32_768;
// RFC 7519 3: a JWS in compact form. One without a signature is refused by its algorithm.
const COMPACT = /^([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.[A-Za-z0-9_-]*$/;
const MALFORMED: ReadToken = { kind: "refused", reason: "token_malformed" };
const utf8 = new TextDecoder("utf-8", { fatal: true });

export function readToken(text: string): ReadToken {
  if (text.length > MAX_LENGTH) return { kind: "refused", reason: "token_too_large" };
  const [, head, payload] = COMPACT.exec(text) ?? [];
  if (head === undefined || payload === undefined) return MALFORMED;
  const header = readJson(head);
  const claims = readJson(payload);
  if (!header || !claims) return MALFORMED;
  const { alg: algorithm, kid: keyId } = header;
  const { iss: issuer } = claims;
  if (typeof algorithm !== "string" || !isOptionalText(keyId)) return MALFORMED;
  if (typeof issuer !== "string" || !hasSoundClaims(claims)) return MALFORMED;
  return { kind: "token", token: { algorithm, keyId, issuer, claims, payload } };
}

/** RFC 7519 4.1: times are numbers (2: "NumericDate"), names are strings. `1e400` reads as infinity. */
function hasSoundClaims({ exp, nbf, iat, aud, sub }: Claims): boolean {
  const times = [exp, nbf, iat];
  const isTimed = times.every((time) => time === undefined || Number.isFinite(time));
  const isMeant =
    aud === undefined ||
    typeof aud === "string" ||
    (Array.isArray(aud) && aud.every((each) => typeof each === "string"));
  return isTimed && isMeant && isOptionalText(sub);
}

function isOptionalText(value: unknown): value is string | undefined {
  return value === undefined || typeof value === "string";
}

/** An object, or nothing. Of members named twice the last counts (RFC 7519 4). */
function readJson(text: string): Claims | undefined {
  try {
    const value: unknown = JSON.parse(utf8.decode(Buffer.from(text, "base64url")));
    const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
    return isObject ? (value as Claims) : undefined;
  } catch {
    return undefined;
  }
}
