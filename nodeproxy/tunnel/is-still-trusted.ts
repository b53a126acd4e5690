/** Does the certificate of an open tunnel's peer lead to the roots of now? Asked after a change of trust. */
import type { TLSSocket } from "node:tls";
import type { TrustBundle } from "../../core/model/trust-bundle.ts";
import { checkSvid } from "../../core/x509/check-svid.ts";
import { parseCertificate } from "../../core/x509/parse-certificate.ts";
import { hasRetired, trustedRoots } from "../../core/x509/retired.ts";
import { verifyChain } from "../../core/x509/verify-chain.ts";
import { peerChain } from "../identity/peer-chain.ts";

export function isStillTrusted(socket: TLSSocket, bundles: readonly TrustBundle[]): boolean {
  return isChainTrusted(peerChain(socket), bundles);
}

/** `chain`: DER, leaf first. A root vouches for its own trust domain only. */
export function isChainTrusted(
  chain: readonly Uint8Array[],
  bundles: readonly TrustBundle[],
): boolean {
  const [leaf, ...authorities] = chain;
  if (!leaf || hasRetired(authorities, bundles)) return false;
  const parsed = parseCertificate(leaf);
  if (parsed.kind === "malformed") return false;
  const svid = checkSvid(parsed.certificate);
  if (svid.kind === "refused") return false;
  const { trustDomain } = svid.identity;
  const own = bundles.filter((bundle) => bundle.trustDomain === trustDomain);
  const roots = trustedRoots(own, bundles);
  // A stream may outlive the leaf that its tunnel began with; trust in the leaf's CA is another matter.
  const now = Math.min(Date.now(), parsed.certificate.notAfterMs);
  return verifyChain({ chain, roots, now }).kind === "verified";
}
