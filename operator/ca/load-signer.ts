/** What a key store holds → a signer and its roots, after every check that would otherwise fail at the first leaf. */
import type { KeyObject } from "node:crypto";
import type { Certificate } from "../../core/x509/certificate.ts";
import { verifyParsedChain } from "../../core/x509/verify-chain.ts";
import { CaError } from "./ca-error.ts";
import { type CaMaterial, ENTRIES } from "./key-store.ts";
import { isIn, isKeyOf, readCertificates, readKey } from "./read-material.ts";
import { Signer } from "./signer.ts";
import { readTrust } from "./trust.ts";
import type { Validity } from "./validity.ts";

export interface LoadedCa {
  readonly signer: Signer;
  /** All that are trusted: retired ones are not among them. */
  readonly roots: readonly Certificate[];
  /** The one that the signer leads to, or is. */
  readonly root: Certificate;
  /** The time in which every certificate from the signer up to the root holds. */
  readonly validity: Validity;
}

export interface LoadOptions {
  /** Of the key store, for messages. */
  readonly place: string;
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** What ends within this time is refused. */
  readonly longestLeafSeconds: number;
}

export function loadSigner(material: CaMaterial, options: LoadOptions): LoadedCa {
  const { place } = options;
  const { roots, retired } = readTrust(material, place);
  const chain = readCertificates(material.certificatesPem, `${place}: ${ENTRIES.certificates}`);
  const [certificate] = chain;
  if (!certificate) throw new CaError("ca_malformed", `${place}: ${ENTRIES.certificates} is empty`);
  const key = readKey(material.keyPem, `${place}: ${ENTRIES.key}`);
  checkKey(key, certificate, place);
  checkAuthority(certificate, place);
  const above = chain.filter((one) => !isIn(roots, one));
  checkTime([certificate, ...above], options);
  checkNotRetired([certificate, ...above], retired, place);
  const root = findRoot(certificate, above, { ...options, roots, retired });
  checkTime([root], options);
  const validity = commonValidity([certificate, ...above, root]);
  checkTimeLeft(validity, options);
  return { signer: new Signer(key, certificate, above), roots, root, validity };
}

function checkKey(key: KeyObject, certificate: Certificate, place: string): void {
  if (isKeyOf(key, certificate)) return;
  throw new CaError(
    "ca_key_mismatch",
    `${place}: ${ENTRIES.key} does not belong to ${ENTRIES.certificates}: restore the pair from a backup`,
  );
}

function checkAuthority({ isCa, keyUsage }: Certificate, place: string): void {
  if (isCa && keyUsage?.keyCertSign) return;
  throw new CaError(
    "ca_not_ca",
    `${place}: ${ENTRIES.certificates} may not sign certificates: it needs CA:TRUE and keyCertSign`,
  );
}

function checkNotRetired(
  certificates: readonly Certificate[],
  retired: readonly Certificate[],
  place: string,
): void {
  if (certificates.some((certificate) => isIn(retired, certificate))) throw isRetired(place);
}

function isRetired(place: string): CaError {
  return new CaError(
    "ca_retired",
    `${place}: a rotation took ${ENTRIES.certificates} or its root out of trust (${ENTRIES.retired}), and no node accepts it: put another CA there`,
  );
}

function checkTime(certificates: readonly Certificate[], { place, now }: LoadOptions): void {
  const { notAfterMs } = commonValidity(certificates);
  if (now <= notAfterMs) return;
  const end = new Date(notAfterMs).toISOString();
  throw new CaError(
    "ca_expired",
    `${place}: the CA ended at ${end}: put a new one there, or remove it and a new root is made; every node proxy then needs the new root`,
  );
}

function checkTimeLeft(
  { notAfterMs }: Validity,
  { place, now, longestLeafSeconds }: LoadOptions,
): void {
  if (notAfterMs - now >= longestLeafSeconds * 1000) return;
  const end = new Date(notAfterMs).toISOString();
  throw new CaError(
    "ca_expires_soon",
    `${place}: the CA ends at ${end}, sooner than a leaf of ${longestLeafSeconds} s made now: renew it, or put ${ENTRIES.rootKey} back so that the operator does, or set a shorter leafLifetime (docs/certificates.md)`,
  );
}

function commonValidity(certificates: readonly Certificate[]): Validity {
  return {
    notBeforeMs: Math.max(...certificates.map(({ notBeforeMs }) => notBeforeMs)),
    notAfterMs: Math.min(...certificates.map(({ notAfterMs }) => notAfterMs)),
  };
}

interface PathOptions extends LoadOptions {
  readonly roots: readonly Certificate[];
  readonly retired: readonly Certificate[];
}

function findRoot(
  certificate: Certificate,
  above: readonly Certificate[],
  { place, now, roots, retired }: PathOptions,
): Certificate {
  if (isIn(roots, certificate)) return certificate;
  const result = verifyParsedChain({ chain: above, roots, now });
  if (result.kind === "verified") return result.root;
  const wasTrusted = verifyParsedChain({ chain: above, roots: retired, now });
  if (wasTrusted.kind === "verified") throw isRetired(place);
  throw new CaError(
    "ca_unknown_root",
    `${place}: ${ENTRIES.certificates} does not lead to a root in ${ENTRIES.roots} (${result.reason})`,
  );
}
