/** Does the certificate of an open tunnel's peer lead to the roots of now? Asked after a change of trust. */
import type { TLSSocket } from "node:tls";
import type { TrustBundle } from "../../core/model/trust-bundle.ts";
import { checkSvid } from "../../core/x509/check-svid.ts";
import { certificateFingerprint } from "../../core/x509/fingerprint.ts";
import { parseCertificate } from "../../core/x509/parse-certificate.ts";
import { hasRetired, trustedRoots } from "../../core/x509/retired.ts";
import { verifyChain } from "../../core/x509/verify-chain.ts";
import { peerChain } from "../identity/peer-chain.ts";

export function isStillTrusted(socket: TLSSocket, bundles: readonly TrustBundle[]): boolean {
  return isChainTrusted(peerChain(socket), bundles);
}

/**
 * For many tunnels and one set of bundles: what two of them have in common is verified once, so that a change of trust
 * does not hold up all traffic for as long as it has tunnels.
 */
export function createTrustCheck(
  bundles: readonly TrustBundle[],
): (chain: readonly Uint8Array[]) => boolean {
  const known = new Map<string, boolean>();
  return (chain) => {
    const key = chain.map(certificateFingerprint).join();
    const verdict = known.get(key) ?? isChainTrusted(chain, bundles);
    known.set(key, verdict);
    return verdict;
  };
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
