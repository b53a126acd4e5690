/**
 * Could the mesh work with the CA certificate that somebody else has signed? Everything that would otherwise show with
 * the first leaf: our key, a CA, a way to a root that is told, time left, and leaves of this mesh that it permits.
 */
import { operatorIdentity } from "../../core/model/operator-identity.ts";
import type { Certificate } from "../../core/x509/certificate.ts";
import { formatCertificatesPem } from "../../core/x509/pem.ts";
import { verifyParsedChain } from "../../core/x509/verify-chain.ts";
import { isSignedBy } from "../../core/x509/verify-signature.ts";
import { CaError } from "./ca-error.ts";
import type { NewIntermediate } from "./intermediate-source.ts";
import { issueLeaf } from "./issue-certificate.ts";
import { loadSigner } from "./load-signer.ts";
import { readCertificates } from "./read-material.ts";

export interface SignedOptions {
  /** Who signed, for messages. */
  readonly signer: string;
  readonly keyPem: string;
  /** PEM of those that are trusted now: used where the signer tells no root. "" before there are any. */
  readonly knownRootsPem: string;
  readonly trustDomain: string;
  readonly longestLeafSeconds: number;
  readonly now: number;
}

/** From when on it could be checked: signers do not backdate, and clocks differ. */
export function beginsMs(chainPem: string, signer: string): number {
  const [certificate] = readCertificates(chainPem, `${signer}: certificate`);
  return certificate?.notBeforeMs ?? 0;
}

/** Throws `CaError`. */
export function checkSigned(
  { chainPem, rootsPem }: { readonly chainPem: string; readonly rootsPem: string },
  options: SignedOptions,
): NewIntermediate {
  const { signer, keyPem, knownRootsPem, trustDomain, longestLeafSeconds, now } = options;
  const told = readCertificates(chainPem, `${signer}: certificate`);
  const roots = [
    ...told,
    ...(rootsPem.trim() === "" ? [] : readCertificates(rootsPem, `${signer}: ca`)),
    ...(knownRootsPem === "" ? [] : readCertificates(knownRootsPem, "the mesh's roots")),
  ].filter(isSelfSigned);
  const chain = told.filter((certificate) => !isSelfSigned(certificate));
  const root = findRoot(chain, roots, options);
  const made = {
    certificatesPem: formatCertificatesPem(chain.map(({ der }) => der)),
    keyPem,
    rootPem: formatCertificatesPem([root.der]),
  };
  const material = { ...made, rootsPem: made.rootPem };
  const ca = loadSigner(material, { place: signer, now, longestLeafSeconds });
  const { publicKey } = ca.signer.certificate;
  const identity = operatorIdentity(trustDomain);
  issueLeaf(ca, { publicKey, identity, lifetimeSeconds: longestLeafSeconds, now });
  return made;
}

/** Nodes verify by OpenSSL, which takes nothing else for a root. */
function isSelfSigned(certificate: Certificate): boolean {
  const { subject, issuer, isCa } = certificate;
  return isCa && Buffer.compare(subject, issuer) === 0 && isSignedBy(certificate, certificate);
}

function findRoot(
  chain: readonly Certificate[],
  roots: readonly Certificate[],
  { signer, now }: SignedOptions,
): Certificate {
  const path = verifyParsedChain({ chain, roots, now });
  if (path.kind === "verified") return path.root;
  const message =
    path.reason === "chain_unknown_root"
      ? "it does not lead to a self-signed root: the issuer has to tell its whole chain"
      : `it does not verify (${path.reason})`;
  throw new CaError("ca_unknown_root", `${signer} signed a CA that cannot be used: ${message}`);
}
