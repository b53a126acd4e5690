/** Who signs CA certificates for others, as an issuer of cert-manager does: by a request, under a root of its own. */
import { createPublicKey, generateKeyPairSync, type KeyObject, randomBytes } from "node:crypto";
import { parseCsr } from "../../core/x509/parse-csr.ts";
import { formatCertificatesPem } from "../../core/x509/pem.ts";
import {
  type CertificateTemplate,
  createSerial,
  distinguishedName,
  keyIdentifier,
  signCertificate,
} from "../../core/x509/sign-certificate.ts";

const HOUR_MS = 3_600_000;
const YEAR_MS = 8760 * HOUR_MS;

interface Issuer {
  readonly name: Uint8Array;
  readonly key: KeyObject;
  readonly der: Uint8Array;
}

export class CertificateSigner {
  readonly root: Issuer;

  constructor(commonName = "corporate root", part: Partial<CertificateTemplate> = {}) {
    this.root = createIssuer(commonName, undefined, part);
  }

  get rootPem(): string {
    return formatCertificatesPem([this.root.der]);
  }

  /** PEM of the CA certificate that `csrPem` asks for. */
  sign(csrPem: string, part: Partial<CertificateTemplate> = {}, issuer = this.root): string {
    const body = csrPem.replaceAll(/-----[A-Z ]+-----|\s/g, "");
    const csr = parseCsr(Buffer.from(body, "base64"));
    if (csr.kind === "refused") throw new Error(csr.message);
    const { publicKey } = csr;
    const subject = distinguishedName(
      "Signed",
      Buffer.from(keyIdentifier(publicKey)).toString("hex"),
    );
    const der = signCertificate(templateOf({ publicKey, subject, issuer }, part), issuer.key);
    return formatCertificatesPem([der]);
  }

  /** A CA between the root and what is signed. */
  createIntermediate(part: Partial<CertificateTemplate> = {}): Issuer {
    return createIssuer("corporate intermediate", this.root, part);
  }
}

function createIssuer(
  commonName: string,
  issuer: Issuer | undefined,
  part: Partial<CertificateTemplate>,
): Issuer {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const publicKey = createPublicKey(privateKey).export({ format: "der", type: "spki" });
  const name = distinguishedName("Corporate", commonName);
  const by = issuer ?? { name, key: privateKey, der: new Uint8Array() };
  const template = templateOf({ publicKey, subject: name, issuer: by }, part);
  return { name, key: privateKey, der: signCertificate(template, by.key) };
}

interface Names extends Pick<CertificateTemplate, "publicKey" | "subject"> {
  readonly issuer: Issuer;
}

function templateOf(
  { publicKey, subject, issuer }: Names,
  part: Partial<CertificateTemplate>,
): CertificateTemplate {
  const issuerKey = createPublicKey(issuer.key).export({ format: "der", type: "spki" });
  const now = Date.now();
  return {
    serial: createSerial(randomBytes(16)),
    issuer: issuer.name,
    subject,
    notBeforeMs: now - 1000,
    notAfterMs: now + YEAR_MS,
    publicKey,
    subjectKeyId: keyIdentifier(publicKey),
    authorityKeyId: keyIdentifier(issuerKey),
    usage: "ca",
    names: { uris: [], dnsNames: [], ipAddresses: [] },
    ...part,
  };
}
