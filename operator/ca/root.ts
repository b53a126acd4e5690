/** A root CA of our own: P-256 key, self-signed for ten years, named after its key. */
import { createPublicKey, generateKeyPairSync, randomBytes } from "node:crypto";
import type { Certificate } from "../../core/x509/certificate.ts";
import { formatCertificatesPem } from "../../core/x509/pem.ts";
import {
  createSerial,
  distinguishedName,
  keyIdentifier,
  signCertificate,
} from "../../core/x509/sign-certificate.ts";
import type { CaMaterial } from "./key-store.ts";
import { CA_BACKDATE_MS } from "./validity.ts";

const ROOT_LIFETIME_MS = 10 * 365 * 24 * 3_600_000;

/** Where the root itself signs: `createHierarchy` puts an intermediate under it. */
export function createRoot(trustDomain: string, now: number): CaMaterial {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const publicKey = createPublicKey(privateKey).export({ format: "der", type: "spki" });
  const keyId = keyIdentifier(publicKey);
  const name = rootName(keyId);
  const der = signCertificate(
    {
      serial: createSerial(randomBytes(16)),
      issuer: name,
      subject: name,
      notBeforeMs: now - CA_BACKDATE_MS,
      notAfterMs: now + ROOT_LIFETIME_MS,
      publicKey,
      subjectKeyId: keyId,
      authorityKeyId: keyId,
      usage: "ca",
      pathLength: 1,
      // X509-SVID 3.2: a signing certificate's SPIFFE ID is the trust domain, without a path.
      names: { uris: [`spiffe://${trustDomain}`], dnsNames: [], ipAddresses: [] },
    },
    privateKey,
  );
  const certificatePem = formatCertificatesPem([der]);
  return {
    certificatesPem: certificatePem,
    keyPem: privateKey.export({ format: "pem", type: "pkcs8" }).toString(),
    rootsPem: certificatePem,
  };
}

/** Made by `createRoot`, of this version or an earlier one; a root that somebody brought is not named so. */
export function isOwnRoot({ subject, publicKey }: Certificate): boolean {
  return Buffer.compare(subject, rootName(keyIdentifier(publicKey))) === 0;
}

/** Two roots of one mesh meet in a bundle while the root is rotated; a name each keeps path building simple. */
function rootName(keyId: Uint8Array): Uint8Array {
  return distinguishedName("Weft", `Weft root ${Buffer.from(keyId).toString("hex", 0, 8)}`);
}
