/**
 * The intermediate under the mesh's root: made, and made again well before its end, as long as the root's key
 * is there. Also puts one under a root that has signed leaves itself so far, as earlier versions let it.
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
  return underRoot(root, root.keyPem, options);
}

/** What to store instead; `undefined` where what is stored is good, or where the root's key is not there. */
export function renewIntermediate(
  material: CaMaterial,
  options: IntermediateOptions,
): CaMaterial | undefined {
  const { place, now } = options;
  const [signer] = readCertificates(material.certificatesPem, `${place}: ${ENTRIES.certificates}`);
  const roots = readCertificates(material.rootsPem, `${place}: ${ENTRIES.roots}`);
  if (!signer) return undefined;
  const { rootKeyPem } = material;
  if (rootKeyPem === undefined) {
    const isOwn = isIn(roots, signer) && isOwnRoot(signer) && now < signer.notAfterMs;
    return isOwn ? underRoot(material, material.keyPem, options) : undefined;
  }
  const root = rootOf(readKey(rootKeyPem, `${place}: ${ENTRIES.rootKey}`), roots, place);
  const isOfRoot = isIn([root], signer) || isSignedBy(signer, root);
  return isOfRoot && isDue(signer, root, now)
    ? underRoot(material, rootKeyPem, options)
    : undefined;
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
  const isLate = signer.notAfterMs - now < lifetimeMs(signer) / 3;
  return isLate && endOf(root, now) > signer.notAfterMs + WORTH_MS;
}

function lifetimeMs({ notBeforeMs, notAfterMs }: Certificate): number {
  return notAfterMs - notBeforeMs;
}

/** It never outlives its root. */
function endOf(root: Certificate, now: number): number {
  return Math.min(root.notAfterMs, now + INTERMEDIATE_LIFETIME_MS);
}

function rootOf(key: KeyObject, roots: readonly Certificate[], place: string): Certificate {
  const root = roots.find((candidate) => isKeyOf(key, candidate));
  if (root) return root;
  throw new CaError(
    "ca_key_mismatch",
    `${place}: ${ENTRIES.rootKey} belongs to no root in ${ENTRIES.roots}: put the right key there, or remove the entry`,
  );
}

function underRoot(
  { rootsPem }: CaMaterial,
  rootKeyPem: string,
  options: IntermediateOptions,
): CaMaterial {
  const { place } = options;
  const roots = readCertificates(rootsPem, `${place}: ${ENTRIES.roots}`);
  const rootKey = readKey(rootKeyPem, `${place}: ${ENTRIES.rootKey}`);
  const root = rootOf(rootKey, roots, place);
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const der = signIntermediate(root, { ...options, rootKey, privateKey });
  return {
    certificatesPem: formatCertificatesPem([der]),
    keyPem: privateKey.export({ format: "pem", type: "pkcs8" }).toString(),
    rootsPem,
    rootKeyPem,
  };
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
