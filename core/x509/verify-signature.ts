/** Did the key of `issuer` sign this certificate? With algorithms and key sizes that still hold. */
import { createPublicKey, type KeyObject, verify } from "node:crypto";
import type { Certificate } from "./certificate.ts";

/** OID of the signature algorithm → kind of key and hash. SHA-1, MD5 and DSA are not in it, on purpose. */
const ALGORITHMS: Readonly<Record<string, { readonly key: string; readonly hash: string }>> = {
  "1.2.840.10045.4.3.2": { key: "ec", hash: "sha256" },
  "1.2.840.10045.4.3.3": { key: "ec", hash: "sha384" },
  "1.2.840.10045.4.3.4": { key: "ec", hash: "sha512" },
  "1.2.840.113549.1.1.11": { key: "rsa", hash: "sha256" },
  "1.2.840.113549.1.1.12": { key: "rsa", hash: "sha384" },
  "1.2.840.113549.1.1.13": { key: "rsa", hash: "sha512" },
};

/** Names of OpenSSL. */
const CURVES = new Set(["prime256v1", "secp384r1", "secp521r1"]);

const MIN_RSA_BITS = 2048;

export function isSignedBy(certificate: Certificate, issuer: Certificate): boolean {
  // An intermediate is asked about with every leaf below it. Both are values that never change.
  const isKnown = certificate.isCa && signedBy.get(certificate) === issuer;
  if (isKnown) return true;
  const isSigned = verifySignature(certificate, issuer);
  if (isSigned && certificate.isCa) signedBy.set(certificate, issuer);
  return isSigned;
}

/** CA certificate → who signed it, as verified. */
const signedBy = new WeakMap<Certificate, Certificate>();

function verifySignature(certificate: Certificate, issuer: Certificate): boolean {
  const algorithm = ALGORITHMS[certificate.signatureAlgorithm];
  const key = algorithm && issuerKey(issuer);
  if (!algorithm || key?.asymmetricKeyType !== algorithm.key) return false;
  return verify(algorithm.hash, certificate.tbs, key, certificate.signature);
}

/** A CA signs many leaves: reading its key anew costs as much as building a leaf. */
const keys = new WeakMap<Certificate, KeyObject>();

function issuerKey(issuer: Certificate): KeyObject | undefined {
  const known = keys.get(issuer);
  if (known) return known;
  const key = publicKeyOf(issuer);
  if (!key || !isStrong(key)) return undefined;
  keys.set(issuer, key);
  return key;
}

/** `undefined` where the octets are no public key, a point off its curve among them. */
export function publicKeyOf(certificate: Pick<Certificate, "publicKey">): KeyObject | undefined {
  try {
    const key = Buffer.from(certificate.publicKey);
    return createPublicKey({ key, format: "der", type: "spki" });
  } catch {
    return undefined;
  }
}

function isStrong(key: KeyObject): boolean {
  const { namedCurve, modulusLength } = key.asymmetricKeyDetails ?? {};
  if (key.asymmetricKeyType === "ec") return namedCurve !== undefined && CURVES.has(namedCurve);
  return modulusLength !== undefined && modulusLength >= MIN_RSA_BITS;
}
