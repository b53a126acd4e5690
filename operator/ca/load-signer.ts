/** What a key store holds → a signer and its roots, after every check that would otherwise fail at the first leaf. */
import { createPrivateKey, createPublicKey, type KeyObject } from "node:crypto";
import type { Certificate } from "../../core/x509/certificate.ts";
import { parseCertificate } from "../../core/x509/parse-certificate.ts";
import { parseCertificatesPem } from "../../core/x509/pem.ts";
import { verifyParsedChain } from "../../core/x509/verify-chain.ts";
import { CaError } from "./ca-error.ts";
import { type CaMaterial, ENTRIES } from "./key-store.ts";
import { Signer } from "./signer.ts";

export interface LoadedCa {
  readonly signer: Signer;
  readonly roots: readonly Certificate[];
}

export interface LoadOptions {
  /** Of the key store, for messages. */
  readonly place: string;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

export function loadSigner(material: CaMaterial, { place, now }: LoadOptions): LoadedCa {
  const roots = readCertificates(material.rootsPem, `${place}: ${ENTRIES.roots}`);
  const chain = readCertificates(material.certificatesPem, `${place}: ${ENTRIES.certificates}`);
  const [certificate] = chain;
  if (!certificate) throw new CaError("ca_malformed", `${place}: ${ENTRIES.certificates} is empty`);
  checkKey(readKey(material.keyPem, place), certificate, place);
  checkAuthority(certificate, { place, now });
  const above = chain.filter(({ der }) => !isIn(roots, der));
  checkPath(certificate, above, { place, now, roots });
  const signer = new Signer(readKey(material.keyPem, place), certificate, above);
  return { signer, roots };
}

function readCertificates(pem: string, where: string): readonly Certificate[] {
  const parsed = parseCertificatesPem(pem);
  if (parsed.kind === "malformed") throw new CaError("ca_malformed", `${where}: ${parsed.message}`);
  return parsed.certificates.map((der) => {
    const result = parseCertificate(der);
    if (result.kind === "parsed") return result.certificate;
    throw new CaError("ca_malformed", `${where} is not a certificate: ${result.message}`);
  });
}

function readKey(pem: string, place: string): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch {
    // Without the cause: OpenSSL's text may quote what it read.
    throw new CaError("ca_malformed", `${place}: ${ENTRIES.key} is not a private key in PEM`);
  }
}

function checkKey(key: KeyObject, certificate: Certificate, place: string): void {
  if (key.asymmetricKeyDetails?.namedCurve !== "prime256v1") {
    throw new CaError(
      "ca_key_mismatch",
      `${place}: ${ENTRIES.key} is not ECDSA P-256: make the CA with such a key`,
    );
  }
  const publicKey = createPublicKey(key).export({ format: "der", type: "spki" });
  if (Buffer.compare(publicKey, certificate.publicKey) !== 0) {
    throw new CaError(
      "ca_key_mismatch",
      `${place}: ${ENTRIES.key} does not belong to ${ENTRIES.certificates}: restore the pair from a backup`,
    );
  }
}

function checkAuthority(certificate: Certificate, { place, now }: LoadOptions): void {
  const { isCa, keyUsage, notAfterMs } = certificate;
  if (!isCa || !keyUsage?.keyCertSign) {
    throw new CaError(
      "ca_not_ca",
      `${place}: ${ENTRIES.certificates} may not sign certificates: it needs CA:TRUE and keyCertSign`,
    );
  }
  if (now > notAfterMs) {
    const end = new Date(notAfterMs).toISOString();
    throw new CaError(
      "ca_expired",
      `${place}: the CA ended at ${end}: put a new one there, or remove it and a new root is made; every node proxy then needs the new root`,
    );
  }
}

interface PathOptions extends LoadOptions {
  readonly roots: readonly Certificate[];
}

function checkPath(
  certificate: Certificate,
  above: readonly Certificate[],
  { place, now, roots }: PathOptions,
): void {
  if (isIn(roots, certificate.der)) return;
  const result = verifyParsedChain({ chain: above, roots, now });
  if (result.kind === "verified") return;
  throw new CaError(
    "ca_unknown_root",
    `${place}: ${ENTRIES.certificates} does not lead to a root in ${ENTRIES.roots} (${result.reason})`,
  );
}

function isIn(certificates: readonly Certificate[], der: Uint8Array): boolean {
  return certificates.some((certificate) => Buffer.compare(certificate.der, der) === 0);
}
