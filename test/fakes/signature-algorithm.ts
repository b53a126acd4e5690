/** The AlgorithmIdentifier of a signature by a key of any kind, as CAs and requests that are not ours write it. */
import type { KeyObject } from "node:crypto";
import { type Der, encodedSequence, oid, sequence } from "../../core/x509/der-writer.ts";
import { OID } from "../../core/x509/oid.ts";

/** With the NULL of RFC 4055 2.1: sha1 and sha256 WithRSAEncryption. */
const RSA = {
  sha1: "300d06092a864886f70d0101050500",
  sha256: "300d06092a864886f70d01010b0500",
};
const EC = { sha1: "1.2.840.10045.4.1", sha256: OID.ecdsaWithSha256 };
const ED25519 = "1.3.101.112";

export function signatureAlgorithmOf(key: KeyObject, hash: "sha256" | "sha1"): Der {
  if (key.asymmetricKeyType === "rsa") return encodedSequence(Buffer.from(RSA[hash], "hex"));
  return sequence(oid(key.asymmetricKeyType === "ed25519" ? ED25519 : EC[hash]));
}

/** For `sign` of node:crypto: Ed25519 has its hash in it. */
export function digestOf(key: KeyObject, hash: "sha256" | "sha1"): string | null {
  return key.asymmetricKeyType === "ed25519" ? null : hash;
}
