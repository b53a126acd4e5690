/**
 * By which roots is the operator's own certificate verified? By those of the bundle in use and those of the roots
 * file together: kubelet brings the file late after a rotation, and a node that slept through one knows the file only.
 */
import type { TrustBundle } from "../../core/model/trust-bundle.ts";
import { formatCertificatesPem, parseCertificatesPem } from "../../core/x509/pem.ts";
import { trustedRoots } from "../../core/x509/retired.ts";

export interface OperatorRootsOptions {
  readonly trustDomain: string;
  /** Those in use, of all trust domains. */
  readonly bundles: readonly TrustBundle[];
  /** PEM; rejects where there is none. */
  readonly readFile: () => Promise<string>;
}

/** PEM. Rejects where no root is left: without any, Node would trust the public CAs of its own list. */
export async function operatorRoots(options: OperatorRootsOptions): Promise<string> {
  const { trustDomain, bundles, readFile } = options;
  const own = bundles.filter((bundle) => bundle.trustDomain === trustDomain);
  const { roots, problem } = await rootsOf(readFile);
  const file = { trustDomain, roots, issuer: "", retired: [] };
  const trusted = uniqueRoots(trustedRoots([...own, file], bundles));
  if (trusted.length > 0) return formatCertificatesPem(trusted);
  throw problem ?? new Error("every root in the roots file was retired");
}

interface FileRoots {
  readonly roots: readonly Uint8Array[];
  readonly problem?: Error;
}

async function rootsOf(readFile: () => Promise<string>): Promise<FileRoots> {
  try {
    const pem = parseCertificatesPem(await readFile());
    if (pem.kind === "parsed") return { roots: pem.certificates };
    return { roots: [], problem: new Error(`the roots file is not to be read: ${pem.message}`) };
  } catch (cause) {
    return { roots: [], problem: new Error("the roots file could not be read", { cause }) };
  }
}

function uniqueRoots(roots: readonly Uint8Array[]): readonly Uint8Array[] {
  return [...new Map(roots.map((der) => [Buffer.from(der).toString("base64"), der])).values()];
}
