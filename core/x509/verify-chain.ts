/**
 * Does a chain of certificates lead to one of these roots, now? For chains that do not come through a
 * TLS handshake: what the operator answers, what lies on disk, what the CA has just signed.
 *
 * RFC 5280 6.1, the part that certificates of a mesh use: names, signatures, validity, CA flag, key
 * usage, path length, name constraints (of the root too), critical extensions. Never asks who the leaf is (`check-svid.ts`).
 */
import type { Certificate } from "./certificate.ts";
import { isPermitted } from "./name-constraints.ts";
import { parseCertificate } from "./parse-certificate.ts";
import { isSignedBy } from "./verify-signature.ts";

export type ChainRefusal =
  | "chain_empty"
  | "chain_too_long"
  | "chain_malformed"
  | "chain_expired"
  | "chain_not_yet_valid"
  | "chain_issuer_not_ca"
  | "chain_critical_extension"
  | "chain_name_constraints"
  | "chain_signature"
  | "chain_unknown_root";

export type VerifiedChain =
  | {
      readonly kind: "verified";
      readonly leaf: Certificate;
      /** Who signed the leaf: an intermediate of the chain, or the root. */
      readonly issuer: Certificate;
      /** Where the path ends. */
      readonly root: Certificate;
      /** The end of the earliest of all certificates on the path, the root's included. */
      readonly notAfterMs: number;
    }
  | { readonly kind: "refused"; readonly reason: ChainRefusal };

export interface VerifyChainOptions {
  /** DER, leaf first, each signed by the next; the root may follow. */
  readonly chain: readonly Uint8Array[];
  /** DER. Trusted as they are, but not outside their validity. */
  readonly roots: readonly Uint8Array[];
  /** Milliseconds since the epoch. */
  readonly now: number;
}

const MAX_CHAIN = 6;

export function verifyChain(options: VerifyChainOptions): VerifiedChain {
  if (options.chain.length === 0) return refused("chain_empty");
  if (options.chain.length > MAX_CHAIN) return refused("chain_too_long");
  const chain = parseAll(options.chain);
  const roots = parseAll(options.roots);
  if (!chain || !roots) return refused("chain_malformed");
  return verifyParsedChain({ chain, roots, now: options.now });
}

export interface VerifyParsedChainOptions {
  readonly chain: readonly Certificate[];
  readonly roots: readonly Certificate[];
  readonly now: number;
}

/** For callers that verify many leaves by the same issuers, which are then read once. */
export function verifyParsedChain({ chain, roots, now }: VerifyParsedChainOptions): VerifiedChain {
  let leafIssuer: Certificate | undefined;
  let notAfterMs = Infinity;
  for (const [depth, certificate] of chain.entries()) {
    notAfterMs = Math.min(notAfterMs, certificate.notAfterMs);
    const { issuer, isRoot } = findIssuer(certificate, chain[depth + 1], roots);
    if (!issuer) return refused("chain_unknown_root");
    const reason = refusalOfLink(issuer, certificate, { depth, now });
    if (reason) return refused(reason);
    if (!isRoot && !isSignedBy(certificate, issuer)) return refused("chain_signature");
    if (!isWithin(issuer, chain.slice(0, depth + 1))) return refused("chain_name_constraints");
    leafIssuer ??= issuer;
    if (isRoot) {
      const leaf = chain[0] ?? certificate;
      notAfterMs = Math.min(notAfterMs, issuer.notAfterMs);
      return { kind: "verified", leaf, issuer: leafIssuer, root: issuer, notAfterMs };
    }
  }
  return refused("chain_unknown_root");
}

interface FoundIssuer {
  readonly issuer: Certificate | undefined;
  /** A root, whose signature is then verified already. */
  readonly isRoot: boolean;
}

function findIssuer(
  certificate: Certificate,
  next: Certificate | undefined,
  roots: readonly Certificate[],
): FoundIssuer {
  // Several roots may carry one name while a root is rotated; the key decides.
  const named = roots.filter((root) => isNamedIssuer(root, certificate));
  const root = named.find((candidate) => isSignedBy(certificate, candidate));
  return { issuer: root ?? next ?? named[0], isRoot: root !== undefined };
}

function isNamedIssuer(issuer: Certificate, certificate: Certificate): boolean {
  return Buffer.compare(issuer.subject, certificate.issuer) === 0;
}

interface Link {
  /** How many certificates lie below, the leaf included. */
  readonly depth: number;
  readonly now: number;
}

function refusalOfLink(
  issuer: Certificate,
  certificate: Certificate,
  { depth, now }: Link,
): ChainRefusal | undefined {
  if (!isNamedIssuer(issuer, certificate)) return "chain_unknown_root";
  if (!issuer.isCa || issuer.keyUsage?.keyCertSign === false) return "chain_issuer_not_ca";
  // RFC 5280 4.2.1.9: pathLenConstraint counts the intermediates between this one and the leaf.
  if (issuer.pathLength !== undefined && depth > issuer.pathLength) return "chain_too_long";
  if (issuer.unknownCritical.length + certificate.unknownCritical.length > 0) {
    return "chain_critical_extension";
  }
  return refusalOfTime(certificate, now) ?? refusalOfTime(issuer, now);
}

function isWithin({ nameConstraints }: Certificate, below: readonly Certificate[]): boolean {
  if (!nameConstraints) return true;
  return below.every((certificate) => isPermitted(certificate, nameConstraints));
}

function refusalOfTime(certificate: Certificate, now: number): ChainRefusal | undefined {
  if (now < certificate.notBeforeMs) return "chain_not_yet_valid";
  return now > certificate.notAfterMs ? "chain_expired" : undefined;
}

function parseAll(ders: readonly Uint8Array[]): readonly Certificate[] | undefined {
  const certificates: Certificate[] = [];
  for (const der of ders) {
    const parsed = parseCertificate(der);
    if (parsed.kind === "malformed") return undefined;
    certificates.push(parsed.certificate);
  }
  return certificates;
}

function refused(reason: ChainRefusal): VerifiedChain {
  return { kind: "refused", reason };
}
