/** PEM of a key store's entries → certificates and keys, or a `CaError` that names the entry. Judges nothing else. */
import { createPrivateKey, createPublicKey, type KeyObject } from "node:crypto";
import type { Certificate } from "../../core/x509/certificate.ts";
import { parseCertificate } from "../../core/x509/parse-certificate.ts";
import { parseCertificatesPem } from "../../core/x509/pem.ts";
import { CaError } from "./ca-error.ts";

/** `where` is place and entry, for the message. */
export function readCertificates(pem: string, where: string): readonly Certificate[] {
  const parsed = parseCertificatesPem(pem);
  if (parsed.kind === "malformed") throw new CaError("ca_malformed", `${where}: ${parsed.message}`);
  return parsed.certificates.map((der) => {
    const result = parseCertificate(der);
    if (result.kind === "parsed") return result.certificate;
    throw new CaError("ca_malformed", `${where} is not a certificate: ${result.message}`);
  });
}

/** P-256 only: what signs leaves has to be read by every peer. */
export function readKey(pem: string, where: string): KeyObject {
  const key = parseKey(pem, where);
  if (key.asymmetricKeyDetails?.namedCurve === "prime256v1") return key;
  throw new CaError("ca_key_mismatch", `${where} is not ECDSA P-256: make the CA with such a key`);
}

function parseKey(pem: string, where: string): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch {
    // Without the cause: OpenSSL's text may quote what it read.
    throw new CaError("ca_malformed", `${where} is not a private key in PEM`);
  }
}

export function isKeyOf(key: KeyObject, certificate: Certificate): boolean {
  const publicKey = createPublicKey(key).export({ format: "der", type: "spki" });
  return Buffer.compare(publicKey, certificate.publicKey) === 0;
}

export function isIn(certificates: readonly Certificate[], { der }: Certificate): boolean {
  return certificates.some((certificate) => Buffer.compare(certificate.der, der) === 0);
}
