/**
 * Is the certificate that was just signed what was meant to be signed, to the octet of its names and the second of
 * its times, and would a node take it? Asked before it is handed out; reads the result anew, knows no key.
 */
import type { Certificate } from "../../core/x509/certificate.ts";
import { refusalOfUsage } from "../../core/x509/check-svid.ts";
import { parseCertificate } from "../../core/x509/parse-certificate.ts";
import type { CertificateTemplate } from "../../core/x509/sign-certificate.ts";
import { verifyParsedChain } from "../../core/x509/verify-chain.ts";
import { CaError } from "./ca-error.ts";
import type { LoadedCa } from "./load-signer.ts";

export interface MeantCertificate {
  readonly template: CertificateTemplate;
  readonly now: number;
}

/** The certificate, read; throws `CaError`, ca_name_constraints or ca_issued_invalid. */
export function checkIssued(der: Uint8Array, ca: LoadedCa, meant: MeantCertificate): Certificate {
  const parsed = parseCertificate(der);
  if (parsed.kind === "malformed") throw invalid(parsed.message);
  const leaf = parsed.certificate;
  const reason =
    refusalOfChain(leaf, ca, meant.now) ??
    refusalOfUsage(leaf) ??
    refusalOfTimes(leaf, ca, meant.template) ??
    refusalOfContent(leaf, meant.template);
  if (reason === "chain_name_constraints") throw notPermitted(meant.template);
  if (reason !== undefined) throw invalid(reason);
  return leaf;
}

function refusalOfChain(
  leaf: Certificate,
  { signer, roots }: LoadedCa,
  now: number,
): string | undefined {
  const result = verifyParsedChain({ chain: [leaf, ...signer.chain], roots, now });
  return result.kind === "refused" ? result.reason : undefined;
}

function refusalOfTimes(
  { notBeforeMs, notAfterMs }: Certificate,
  { validity }: LoadedCa,
  template: CertificateTemplate,
): string | undefined {
  // It would still verify today, and fail at a time that nobody expects.
  if (notAfterMs > validity.notAfterMs || notBeforeMs < validity.notBeforeMs) {
    return "it outlives its issuer";
  }
  const isMeant =
    notBeforeMs === wholeSecond(template.notBeforeMs) &&
    notAfterMs === wholeSecond(template.notAfterMs);
  return isMeant ? undefined : "it has other times";
}

/** Certificates know no fractions; what is cut off makes it end earlier, never later. */
function wholeSecond(ms: number): number {
  return Math.floor(ms / 1000) * 1000;
}

function refusalOfContent(leaf: Certificate, template: CertificateTemplate): string | undefined {
  if (!isSame(leaf.publicKey, template.publicKey)) return "it carries another key";
  if (!isSame(leaf.serial, template.serial)) return "it has another serial number";
  if (!isSame(leaf.subject, template.subject)) return "it has another subject";
  if (!leaf.subjectKeyId || !isSame(leaf.subjectKeyId, template.subjectKeyId)) {
    return "it has another key identifier";
  }
  return hasNames(leaf, template.names) ? undefined : "it carries another identity";
}

function hasNames(
  { alternativeNames: has }: Certificate,
  meant: CertificateTemplate["names"],
): boolean {
  const { ipAddresses } = meant;
  return (
    has.others === 0 &&
    isEach(has.uris, meant.uris, (one, other) => one === other) &&
    isEach(has.dnsNames, meant.dnsNames, (one, other) => one === other) &&
    isEach(has.ipAddresses, ipAddresses, (one, other) => isSame(one, Uint8Array.from(other)))
  );
}

function isEach<A, B>(
  some: readonly A[],
  others: readonly B[],
  isEqual: (one: A, other: B) => boolean,
): boolean {
  return (
    some.length === others.length &&
    some.every((one, index) => {
      const other = others[index];
      return other !== undefined && isEqual(one, other);
    })
  );
}

function isSame(one: Uint8Array, other: Uint8Array): boolean {
  return Buffer.compare(one, other) === 0;
}

function notPermitted({ names }: CertificateTemplate): CaError {
  const { uris, dnsNames, ipAddresses } = names;
  const asked = [...uris, ...dnsNames, ...ipAddresses.map((octets) => octets.join("."))].join(", ");
  return new CaError("ca_name_constraints", `the CA's name constraints do not permit ${asked}`);
}

function invalid(message: string): CaError {
  return new CaError("ca_issued_invalid", `the certificate just made is refused: ${message}`);
}
