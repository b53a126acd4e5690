/**
 * Reads TrustBundle: by which roots callers of another trust domain are believed.
 *
 * A root is checked as far as it stands in the object: that it is one, a CA, and not somebody's intermediate.
 * Whether the trust domain is a foreign one, and whether a root has ended, is asked by the index.
 */
import type { Certificate } from "../../core/x509/certificate.ts";
import { parseCertificate } from "../../core/x509/parse-certificate.ts";
import { parseCertificatesPem } from "../../core/x509/pem.ts";
import { type Field, isObjectOf, member, type Reason, refuse, rootField, text } from "./fields.ts";
import { type PolicyMetadata, parseEnvelope } from "./policy-metadata.ts";
import { parseTrustDomain } from "./trust-domain.ts";

export interface ForeignTrust {
  readonly metadata: PolicyMetadata;
  readonly trustDomain: string;
  /** At least one, each once. */
  readonly roots: readonly ForeignRoot[];
}

export interface ForeignRoot {
  readonly der: Uint8Array;
  readonly notAfterMs: number;
}

export type ParsedTrustBundle =
  | {
      readonly kind: "accepted";
      readonly value: ForeignTrust;
      readonly warnings: readonly Reason[];
    }
  | { readonly kind: "refused"; readonly reasons: readonly Reason[] };

/** A bundle of these sizes is still one resource of the configuration stream. */
const MAX_ROOTS = 16;
const MAX_ROOT_BYTES = 65_536;
const MAX_PEM_CHARACTERS = 262_144;

export function parseTrustBundle(object: unknown): ParsedTrustBundle {
  const reasons: Reason[] = [];
  const envelope = parseEnvelope(rootField(object, reasons), {
    kind: "TrustBundle",
    namespaced: false,
  });
  if (!envelope) return { kind: "refused", reasons };
  const spec = envelope.spec ?? { value: {}, path: "spec", reasons };
  isObjectOf(spec, ["trustDomain", "roots"]);
  const domainField = required(spec, "trustDomain");
  const rootsField = required(spec, "roots");
  const trustDomain = domainField && parseTrustDomain(domainField);
  const roots = rootsField ? parseRoots(rootsField) : [];
  if (reasons.length > 0 || trustDomain === undefined) return { kind: "refused", reasons };
  return {
    kind: "accepted",
    value: { metadata: envelope.metadata, trustDomain, roots },
    warnings: otherDomains(roots, trustDomain),
  };
}

function required(spec: Field, name: string): Field | undefined {
  return member(spec, name) ?? refuse({ ...spec, path: `${spec.path}.${name}` }, "must be given");
}

function parseRoots(field: Field): readonly Certificate[] {
  const pem = text(field);
  if (pem === undefined) return [];
  if (pem.length > MAX_PEM_CHARACTERS) {
    refuse(field, "must be at most 256 KiB of PEM");
    return [];
  }
  const parsed = parseCertificatesPem(pem);
  if (parsed.kind === "malformed") {
    refuse(field, `must be certificates in PEM: ${parsed.message}`);
    return [];
  }
  const { certificates } = parsed;
  if (certificates.length > MAX_ROOTS) {
    refuse(field, `must be at most ${MAX_ROOTS} certificates`);
    return [];
  }
  const roots = new Map<string, Certificate>();
  for (const [i, der] of certificates.entries()) {
    const root = parseRoot({ ...field, path: `${field.path}[${i}]` }, der);
    if (root) roots.set(root.der.join(), root);
  }
  return [...roots.values()];
}

function parseRoot(field: Field, der: Uint8Array): Certificate | undefined {
  if (der.length > MAX_ROOT_BYTES) return refuse(field, "must be at most 64 KiB");
  const parsed = parseCertificate(der);
  if (parsed.kind === "malformed") return refuse(field, `is not a certificate: ${parsed.message}`);
  const { certificate } = parsed;
  const reason = refusalOfRoot(certificate);
  return reason === undefined ? certificate : refuse(field, reason);
}

function refusalOfRoot(certificate: Certificate): string | undefined {
  const { isCa, keyUsage, subject, issuer, unknownCritical } = certificate;
  if (!isCa || keyUsage?.keyCertSign === false) {
    return "may not sign certificates: a root needs CA:TRUE and keyCertSign";
  }
  // OpenSSL ends a chain at a self-signed certificate only, so that nobody could be verified by another.
  if (!isSame(subject, issuer)) {
    return "is an intermediate: give the root that it leads to, which callers' chains come with";
  }
  return unknownCritical.length > 0
    ? `has the critical extension ${unknownCritical.join(", ")}, which nobody here understands`
    : undefined;
}

/** X509-SVID 3.2: the SPIFFE ID of a signing certificate is its trust domain. Many roots have none. */
function otherDomains(roots: readonly Certificate[], trustDomain: string): readonly Reason[] {
  return roots.flatMap(({ alternativeNames }) =>
    alternativeNames.uris
      .filter((uri) => uri.startsWith("spiffe://") && uri !== `spiffe://${trustDomain}`)
      .map((uri) => ({
        field: "spec.roots",
        message: `one of them names itself ${uri}, and is taken for ${trustDomain} all the same`,
      })),
  );
}

function isSame(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && one.every((octet, i) => octet === other[i]);
}
