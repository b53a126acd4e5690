/**
 * The intermediate under the mesh's root: when it has to be made anew, and how, as long as the root's key is
 * there. Also puts one under a root that has signed leaves itself so far, as earlier versions let it.
 *
 * Decides what the key store should hold next; `authority.ts` stores it. Never changes what is trusted.
 */
import { createPublicKey, generateKeyPairSync, type KeyObject, randomBytes } from "node:crypto";
import type { Certificate } from "../../core/x509/certificate.ts";
import { formatCertificatesPem } from "../../core/x509/pem.ts";
import {
  createSerial,
  distinguishedName,
  keyIdentifier,
  signCertificate,
} from "../../core/x509/sign-certificate.ts";
import { isSignedBy } from "../../core/x509/verify-signature.ts";
import { CaError } from "./ca-error.ts";
import type { NewIntermediate } from "./intermediate-source.ts";
import { type CaMaterial, ENTRIES } from "./key-store.ts";
import { isIn, isKeyOf, readCertificates, readKey } from "./read-material.ts";
import { createRoot, isOwnRoot } from "./root.ts";
import { CA_BACKDATE_MS, INTERMEDIATE_LIFETIME_MS } from "./validity.ts";

/** A new intermediate has to be good for more time than the one before, or it is not worth the change. */
const WORTH_MS = 24 * 3_600_000;
const MAX_WARNING_MS = 90 * 24 * 3_600_000;

export interface IntermediateOptions {
  readonly trustDomain: string;
  /** Of the key store, for messages. */
  readonly place: string;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** A root and an intermediate that signs leaves, for a mesh that has no CA yet. */
export function createHierarchy(options: IntermediateOptions): CaMaterial {
  const root = createRoot(options.trustDomain, options.now);
  const made = createUnderRoot({ ...root, rootKeyPem: root.keyPem }, options);
  if (!made) throw new Error("a root with its key can sign an intermediate");
  return withIntermediate(root, made);
}

export interface RenewalQuestion {
  /** Of the key store, for messages. */
  readonly place: string;
  readonly now: number;
  /** Somebody else signs intermediates, so that the root's key need not be here. */
  readonly isExternal: boolean;
}

/** Whether an intermediate should be asked for by now, and whoever is asked could make it. */
export function isRenewalDue(material: CaMaterial, question: RenewalQuestion): boolean {
  const { place, now, isExternal } = question;
  const [signer] = readCertificates(material.certificatesPem, `${place}: ${ENTRIES.certificates}`);
  if (!signer) return false;
  const stored = storedRoot(material, question);
  if (!stored) return isExternal && isLate(signer, now);
  const isOfRoot = isIn([stored.root], signer) || isSignedBy(signer, stored.root);
  return isOfRoot && isDue(signer, stored.root, now);
}

/** A new intermediate under the root whose key is stored; `undefined` where there is none. */
export function createUnderRoot(
  material: CaMaterial,
  options: IntermediateOptions,
): NewIntermediate | undefined {
  const stored = storedRoot(material, options);
  if (!stored) return undefined;
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const der = signIntermediate(stored.root, { ...options, rootKey: stored.key, privateKey });
  return {
    certificatesPem: formatCertificatesPem([der]),
    keyPem: privateKey.export({ format: "pem", type: "pkcs8" }).toString(),
    rootPem: formatCertificatesPem([stored.root.der]),
  };
}

/** Whether the root that it leads to is one of those that are trusted. */
export function isTrusted(
  { rootsPem }: CaMaterial,
  { rootPem }: NewIntermediate,
  place: string,
): boolean {
  const roots = readCertificates(rootsPem, `${place}: ${ENTRIES.roots}`);
  return readCertificates(rootPem, "the root of the new intermediate").every((root) =>
    isIn(roots, root),
  );
}

/** What to store so that `made` signs; its root has to be trusted already. */
export function withIntermediate(material: CaMaterial, made: NewIntermediate): CaMaterial {
  const { certificatesPem, keyPem } = made;
  const [signer] = readCertificates(material.certificatesPem, ENTRIES.certificates);
  // Where the root itself has signed so far its key becomes what it is from now on.
  const wasRoot = signer && isIn(readCertificates(made.rootPem, "its root"), signer);
  const rootKeyPem = material.rootKeyPem ?? (wasRoot ? material.keyPem : undefined);
  return { ...material, certificatesPem, keyPem, rootKeyPem };
}

/**
 * Somebody should have renewed it by now: we do in its last third, as cert-manager does. People get a warning for
 * the last quarter, at most 90 days.
 */
export function isEnding(signer: Certificate, now: number): boolean {
  const left = signer.notAfterMs - now;
  return left < Math.min(MAX_WARNING_MS, lifetimeMs(signer) / 4);
}

function isDue(signer: Certificate, root: Certificate, now: number): boolean {
  if (now >= root.notAfterMs) return false;
  if (isIn([root], signer)) return true;
  return isLate(signer, now) && endOf(root, now) > signer.notAfterMs + WORTH_MS;
}

function isLate(signer: Certificate, now: number): boolean {
  return signer.notAfterMs - now < lifetimeMs(signer) / 3;
}

function lifetimeMs({ notBeforeMs, notAfterMs }: Certificate): number {
  return notAfterMs - notBeforeMs;
}

/** It never outlives its root. */
function endOf(root: Certificate, now: number): number {
  return Math.min(root.notAfterMs, now + INTERMEDIATE_LIFETIME_MS);
}

interface StoredRoot {
  readonly root: Certificate;
  readonly key: KeyObject;
}

/** The root whose key is in `root.key`; or a root of ours that signs leaves itself, as earlier versions had it. */
function storedRoot(
  { certificatesPem, keyPem, rootsPem, rootKeyPem }: CaMaterial,
  { place, now }: Pick<RenewalQuestion, "place" | "now">,
): StoredRoot | undefined {
  const roots = readCertificates(rootsPem, `${place}: ${ENTRIES.roots}`);
  if (rootKeyPem !== undefined) {
    const key = readKey(rootKeyPem, `${place}: ${ENTRIES.rootKey}`);
    return { root: rootOf(key, roots, place), key };
  }
  const [signer] = readCertificates(certificatesPem, `${place}: ${ENTRIES.certificates}`);
  if (!signer || !isIn(roots, signer) || !isOwnRoot(signer) || now >= signer.notAfterMs) {
    return undefined;
  }
  return { root: signer, key: readKey(keyPem, `${place}: ${ENTRIES.key}`) };
}

function rootOf(key: KeyObject, roots: readonly Certificate[], place: string): Certificate {
  const root = roots.find((candidate) => isKeyOf(key, candidate));
  if (root) return root;
  throw new CaError(
    "ca_key_mismatch",
    `${place}: ${ENTRIES.rootKey} belongs to no root in ${ENTRIES.roots}: put the right key there, or remove the entry`,
  );
}

interface Keys extends IntermediateOptions {
  readonly rootKey: KeyObject;
  /** The intermediate's own. */
  readonly privateKey: KeyObject;
}

function signIntermediate(root: Certificate, options: Keys): Uint8Array {
  const { rootKey, privateKey, trustDomain, now } = options;
  const publicKey = createPublicKey(privateKey).export({ format: "der", type: "spki" });
  const keyId = keyIdentifier(publicKey);
  const mark = Buffer.from(keyId).toString("hex", 0, 8);
  return signCertificate(
    {
      serial: createSerial(randomBytes(16)),
      issuer: root.subject,
      subject: distinguishedName("Weft", `Weft intermediate ${mark}`),
      notBeforeMs: Math.max(root.notBeforeMs, now - CA_BACKDATE_MS),
      notAfterMs: endOf(root, now),
      publicKey,
      subjectKeyId: keyId,
      authorityKeyId: root.subjectKeyId ?? keyIdentifier(root.publicKey),
      usage: "ca",
      // It signs leaves and nothing else.
      pathLength: 0,
      // X509-SVID 3.2: a signing certificate's SPIFFE ID is the trust domain, without a path.
      names: { uris: [`spiffe://${trustDomain}`], dnsNames: [], ipAddresses: [] },
    },
    rootKey,
  );
}
