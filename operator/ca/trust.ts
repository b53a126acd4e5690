/** What a key store's entries say is trusted, and what is not any more. Judges no signer: that is `load-signer.ts`. */
import { createHash } from "node:crypto";
import type { TrustBundle } from "../../core/model/trust-bundle.ts";
import type { Certificate } from "../../core/x509/certificate.ts";
import { certificateFingerprint } from "../../core/x509/fingerprint.ts";
import { type CaMaterial, ENTRIES, type KeyStore } from "./key-store.ts";
import { isIn, readCertificates } from "./read-material.ts";
import { readRotation } from "./rotation-record.ts";

export interface Trust {
  /** Without those that are retired, wherever they came from again. */
  readonly roots: readonly Certificate[];
  readonly retired: readonly Certificate[];
}

export function readTrust({ rootsPem, retiredPem }: CaMaterial, place: string): Trust {
  const roots = readCertificates(rootsPem, `${place}: ${ENTRIES.roots}`);
  const retired =
    retiredPem === undefined ? [] : readCertificates(retiredPem, `${place}: ${ENTRIES.retired}`);
  return { roots: roots.filter((root) => !isIn(retired, root)), retired };
}

export interface BundleOptions {
  readonly keyStore: Pick<KeyStore, "place">;
  readonly trustDomain: string;
}

/** What nodes are told while `material` is what is stored. */
export function bundleOf(material: CaMaterial, options: BundleOptions): TrustBundle {
  const { trustDomain, keyStore } = options;
  const { place } = keyStore;
  const { roots, retired } = readTrust(material, place);
  const chain = readCertificates(material.certificatesPem, `${place}: ${ENTRIES.certificates}`);
  const fingerprints = retired.map(({ der }) => certificateFingerprint(der));
  return {
    trustDomain,
    roots: roots.map(({ der }) => der),
    issuer: certificateFingerprint(chain[0]?.der ?? new Uint8Array()),
    retired: [...fingerprints, ...stepMarks(material)].toSorted(),
  };
}

/**
 * Fingerprints of no certificate. While a rotation goes back: with it no bundle on the way back equals one on the way
 * there, and a node's proof from then, which may be on its way still, proves nothing now. And once a phase is settled:
 * a node that has proven the bundle before that may have got an older one since, from a replica that lagged.
 */
function stepMarks({ rotation }: CaMaterial): readonly string[] {
  const record = readRotation(rotation);
  if (record.kind !== "rotating") return [];
  const { from, to, phase, aborting, settled } = record;
  const marks = [
    ...(aborting ? [`back from ${to} to ${from}`] : []),
    ...(settled ? [`settled ${phase} from ${from} to ${to}`] : []),
  ];
  return marks.map((mark) => createHash("sha256").update(mark).digest("hex"));
}
