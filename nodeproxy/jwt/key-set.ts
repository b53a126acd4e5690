/**
 * The keys of an issuer, read from its JWK set (RFC 7517): those that signatures may be verified by.
 *
 * A key that is too weak, not for signatures or of a kind that is not known is left out, the others
 * stay. Symmetric keys are never taken: who can read a key set could then sign.
 */
import { createPublicKey, type KeyObject } from "node:crypto";
import type { JWK } from "jose";

export interface VerificationKey {
  readonly keyId: string | undefined;
  /** That it may be used with, and no others. */
  readonly algorithms: readonly string[];
  readonly key: KeyObject;
}

export type KeySet = readonly VerificationKey[];

export type ParsedKeySet =
  | { readonly kind: "keys"; readonly keys: KeySet }
  | { readonly kind: "refused"; readonly reason: "not_json" | "no_keys" };

const MAX_KEYS = 100;
const RSA_MIN_BITS = 2048;
/** Verifying takes longer with each bit. */
const RSA_MAX_BITS = 8192;
const RSA_ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"];
const CURVE_ALGORITHMS: Readonly<Record<string, readonly string[]>> = {
  "P-256": ["ES256"],
  "P-384": ["ES384"],
  "P-521": ["ES512"],
  Ed25519: ["EdDSA", "Ed25519"],
};

export function parseKeySet(text: string): ParsedKeySet {
  let set: unknown;
  try {
    set = JSON.parse(text);
  } catch {
    return { kind: "refused", reason: "not_json" };
  }
  const list = isRecord(set) ? set["keys"] : undefined;
  if (!Array.isArray(list)) return { kind: "refused", reason: "no_keys" };
  const keys = list.slice(0, MAX_KEYS).flatMap((each: unknown) => readKey(each) ?? []);
  return keys.length === 0 ? { kind: "refused", reason: "no_keys" } : { kind: "keys", keys };
}

function readKey(jwk: unknown): VerificationKey | undefined {
  if (!isRecord(jwk) || !isForSignatures(jwk)) return undefined;
  const { kid, alg } = jwk;
  if (kid !== undefined && typeof kid !== "string") return undefined;
  const possible = possibleAlgorithms(jwk);
  const algorithms = alg === undefined ? possible : possible.filter((each) => each === alg);
  if (algorithms.length === 0) return undefined;
  const key = importKey(jwk);
  return key && isStrong(key) ? { keyId: kid, algorithms, key } : undefined;
}

/** RFC 7517 4.2 and 4.3. */
function isForSignatures({ use, key_ops: operations }: RawKey): boolean {
  if (use !== undefined && use !== "sig") return false;
  return operations === undefined || (Array.isArray(operations) && operations.includes("verify"));
}

function possibleAlgorithms({ kty, crv }: RawKey): readonly string[] {
  if (kty === "RSA") return RSA_ALGORITHMS;
  const isCurve = (kty === "EC" || kty === "OKP") && typeof crv === "string";
  return isCurve && Object.hasOwn(CURVE_ALGORITHMS, crv) ? (CURVE_ALGORITHMS[crv] ?? []) : [];
}

function importKey({ kty, n, e, crv, x, y }: RawKey): KeyObject | undefined {
  try {
    // Only what is public: a set that shows a private key must not make this one.
    const key = { kty, n, e, crv, x, y } as JWK;
    return createPublicKey({ key, format: "jwk" });
  } catch {
    return undefined;
  }
}

function isStrong(key: KeyObject): boolean {
  if (key.asymmetricKeyType !== "rsa") return true;
  const { modulusLength = 0, publicExponent = 0n } = key.asymmetricKeyDetails ?? {};
  // With exponent 1 a signature is its own message.
  return modulusLength >= RSA_MIN_BITS && modulusLength <= RSA_MAX_BITS && publicExponent >= 3n;
}

type RawKey = Readonly<Record<string, unknown>>;

function isRecord(value: unknown): value is RawKey {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
