/** The public certificates of the ConfigMap `weft-roots`: what the mesh trusts, and what signs for it. */
import { X509Certificate } from "node:crypto";
import { parseCertificatesPem } from "../../core/x509/pem.ts";
import type { ClusterObject } from "./cluster-objects.ts";

export interface ReadCertificates {
  readonly certificates: readonly X509Certificate[];
  /** "" where they could be read. */
  readonly problem: string;
}

/** `roots.pem`, or `issuers.pem`: what signs leaves, then those above it but the root. */
export function readCertificates(
  configMap: ClusterObject | undefined,
  key: "roots.pem" | "issuers.pem",
): ReadCertificates {
  const data = configMap?.["data"] as Readonly<Record<string, unknown>> | undefined;
  const pem = data?.[key];
  if (typeof pem !== "string") return none(`no ConfigMap weft-roots with ${key} is there`);
  const parsed = parseCertificatesPem(pem);
  if (parsed.kind === "malformed") return none(`${key}: ${parsed.message}`);
  if (parsed.certificates.length === 0) return none(`${key} holds no certificate`);
  try {
    const certificates = parsed.certificates.map((der) => new X509Certificate(der));
    return { certificates, problem: "" };
  } catch {
    return none(`${key} holds what is no certificate`);
  }
}

function none(problem: string): ReadCertificates {
  return { certificates: [], problem };
}

/** In one line. */
export function subjectOf({ subject }: X509Certificate): string {
  return subject.replaceAll("\n", ", ");
}

/** Made by the operator, by the name that it gives to its roots. Whoever brings a CA gives it another. */
export function isOperatorRoot(root: X509Certificate): boolean {
  return /^O=Weft, CN=Weft root [0-9a-f]{16}$/.test(subjectOf(root));
}

/** Hex SHA-256. */
export function fingerprintOf({ fingerprint256 }: X509Certificate): string {
  return fingerprint256.replaceAll(":", "").toLowerCase();
}
