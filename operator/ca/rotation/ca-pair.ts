/**
 * The two CAs of a rotation as they lie in the key store: the one that signs (`tls.*`, `root.key`), and the one on standby
 * (`standby.*`). Which of them is the old one is not known here.
 */
import type { Certificate } from "../../../core/x509/certificate.ts";
import { certificateFingerprint } from "../../../core/x509/fingerprint.ts";
import { formatCertificatesPem } from "../../../core/x509/pem.ts";
import { verifyParsedChain } from "../../../core/x509/verify-chain.ts";
import { CaError } from "../ca-error.ts";
import { type CaMaterial, ENTRIES } from "../key-store.ts";
import { isIn, readCertificates } from "../read-material.ts";

export interface CaPair {
  /** The one that signs leaves, then those above it without the root. */
  readonly chain: readonly [Certificate, ...Certificate[]];
  readonly root: Certificate;
  /** Of the one that signs leaves. */
  readonly fingerprint: string;
  readonly keyPem: string;
  /** The root's own; absent where it is offline, somebody else's, or kept with the other pair of the same root. */
  readonly rootKeyPem: string | undefined;
}

export interface PairOptions {
  /** Of the key store, for messages. */
  readonly place: string;
  readonly now: number;
}

/** The pair that signs. Throws `CaError` where it leads to no root in `ca.crt`. */
export function signingPair(material: CaMaterial, { place, now }: PairOptions): CaPair {
  const all = readCertificates(material.certificatesPem, `${place}: ${ENTRIES.certificates}`);
  const roots = readCertificates(material.rootsPem, `${place}: ${ENTRIES.roots}`);
  const [signer, ...above] = all;
  if (!signer) throw new CaError("ca_malformed", `${place}: ${ENTRIES.certificates} is empty`);
  const chain = [signer, ...above.filter((one) => !isIn(roots, one))] as const;
  const path = verifyParsedChain({ chain, roots, now });
  const root = isIn(roots, signer) ? signer : path.kind === "verified" && path.root;
  if (!root) {
    throw new CaError(
      "ca_unknown_root",
      `${place}: ${ENTRIES.certificates} does not lead to a root in ${ENTRIES.roots}`,
    );
  }
  const { keyPem, rootKeyPem } = material;
  return { chain: [...chain], root, fingerprint: fingerprintOf(signer), keyPem, rootKeyPem };
}

/** `undefined` where there is none, or only a part of it. */
export function standbyPair(material: CaMaterial, { place }: PairOptions): CaPair | undefined {
  const { standbyCertificatesPem, standbyKeyPem, standbyRootKeyPem } = material;
  if (standbyCertificatesPem === undefined || standbyKeyPem === undefined) return undefined;
  const where = `${place}: ${ENTRIES.standbyCertificates}`;
  const all = readCertificates(standbyCertificatesPem, where);
  const [signer, ...rest] = all;
  const root = all.at(-1);
  if (!signer || !root) return undefined;
  return {
    chain: [signer, ...rest.slice(0, -1)],
    root,
    fingerprint: fingerprintOf(signer),
    keyPem: standbyKeyPem,
    rootKeyPem: standbyRootKeyPem,
  };
}

export interface MadeCa {
  readonly certificatesPem: string;
  readonly keyPem: string;
  readonly rootPem: string;
  readonly rootKeyPem?: string | undefined;
}

/** A CA that was just made for a rotation. */
export function madePair({ certificatesPem, keyPem, rootPem, rootKeyPem }: MadeCa): CaPair {
  const [signer, ...above] = readCertificates(certificatesPem, "the new CA");
  const [root] = readCertificates(rootPem, "the root of the new CA");
  if (!signer || !root) throw new CaError("ca_malformed", "the new CA has no certificate");
  return {
    chain: [signer, ...above],
    root,
    fingerprint: fingerprintOf(signer),
    keyPem,
    rootKeyPem,
  };
}

export function hasSameRoot(one: CaPair, other: CaPair): boolean {
  return isIn([one.root], other.root);
}

/** Puts both where they belong; what is trusted stays as it is. */
export function withPairs(
  material: CaMaterial,
  { signing, standby }: { readonly signing: CaPair; readonly standby: CaPair },
): CaMaterial {
  const isOneRoot = hasSameRoot(signing, standby);
  const ofStandby = [...standby.chain, standby.root].map(({ der }) => der);
  const isRootItself = isIn([standby.root], standby.chain[0]);
  return {
    ...material,
    certificatesPem: formatCertificatesPem(signing.chain.map(({ der }) => der)),
    keyPem: signing.keyPem,
    rootKeyPem: isOneRoot ? (signing.rootKeyPem ?? standby.rootKeyPem) : signing.rootKeyPem,
    standbyCertificatesPem: formatCertificatesPem(isRootItself ? [standby.root.der] : ofStandby),
    standbyKeyPem: standby.keyPem,
    standbyRootKeyPem: isOneRoot ? undefined : standby.rootKeyPem,
  };
}

function fingerprintOf({ der }: Certificate): string {
  return certificateFingerprint(der);
}
