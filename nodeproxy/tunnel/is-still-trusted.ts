/** Does the certificate of an open tunnel's peer lead to the roots of now? Asked after a change of trust. */
import type { TLSSocket } from "node:tls";
import type { TrustBundle } from "../../core/model/trust-bundle.ts";
import { verifyChain } from "../../core/x509/verify-chain.ts";

/** A chain longer than this was never accepted. */
const MAX_CHAIN = 8;

export function isStillTrusted(socket: TLSSocket, bundles: readonly TrustBundle[]): boolean {
  const chain: Uint8Array[] = [];
  let at = socket.getPeerX509Certificate();
  while (at && chain.length < MAX_CHAIN) {
    chain.push(at.raw);
    at = at.issuerCertificate;
  }
  // Which root may vouch for which trust domain was judged at the handshake.
  const roots = bundles.flatMap((bundle) => bundle.roots);
  return verifyChain({ chain, roots, now: Date.now() }).kind === "verified";
}
