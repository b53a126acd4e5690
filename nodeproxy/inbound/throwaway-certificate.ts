/**
 * A self-signed certificate for answering kubelet's HTTPS probes, which verify nothing. Made once at
 * its first use, held in memory only; it is no identity and chains to nothing.
 */
import { generateKeyPairSync } from "node:crypto";
import forge from "node-forge";

const LIFETIME_MS = 10 * 365 * 86_400_000;

export function createThrowawayCertificate(): { readonly key: string; readonly cert: string } {
  const { privateKey } = generateKeyPairSync("rsa", {
    modulusLength: 2048,
    privateKeyEncoding: { type: "pkcs1", format: "pem" },
    publicKeyEncoding: { type: "spki", format: "pem" },
  });
  const key = forge.pki.privateKeyFromPem(privateKey);
  const certificate = forge.pki.createCertificate();
  certificate.publicKey = forge.pki.setRsaPublicKey(key.n, key.e);
  certificate.serialNumber = "01";
  certificate.validity.notBefore = new Date(Date.now() - 86_400_000);
  certificate.validity.notAfter = new Date(Date.now() + LIFETIME_MS);
  const name = [{ name: "commonName", value: "weft-probe" }];
  certificate.setSubject(name);
  certificate.setIssuer(name);
  certificate.sign(key, forge.md.sha256.create());
  return { key: privateKey, cert: forge.pki.certificateToPem(certificate) };
}
