/**
 * A self-signed certificate for answering kubelet's HTTPS probes, which verify nothing. Made once at
 * its first use, held in memory only; it is no identity and chains to nothing.
 */
import { generateKeyPairSync, randomBytes } from "node:crypto";
import { formatCertificatesPem } from "../../core/x509/pem.ts";
import {
  createSerial,
  distinguishedName,
  keyIdentifier,
  signCertificate,
} from "../../core/x509/sign-certificate.ts";

const DAY_MS = 86_400_000;
const LIFETIME_DAYS = 3650;

export function createThrowawayCertificate(): { readonly key: string; readonly cert: string } {
  const keys = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const publicKey = keys.publicKey.export({ type: "spki", format: "der" });
  const name = distinguishedName("Weft", "probe");
  const certificate = signCertificate(
    {
      serial: createSerial(randomBytes(16)),
      issuer: name,
      subject: name,
      notBeforeMs: Date.now() - DAY_MS,
      notAfterMs: Date.now() + LIFETIME_DAYS * DAY_MS,
      publicKey,
      subjectKeyId: keyIdentifier(publicKey),
      authorityKeyId: keyIdentifier(publicKey),
      usage: "leaf",
      names: { uris: [], dnsNames: ["probe.weft.invalid"], ipAddresses: [] },
    },
    keys.privateKey,
  );
  const key = keys.privateKey.export({ type: "pkcs8", format: "pem" }).toString();
  return { key, cert: formatCertificatesPem([certificate]) };
}
