/** What the peer of a TLS connection has shown of its chain: DER, leaf first, in the order it sent them. */
import type { TLSSocket } from "node:tls";

/** A chain longer than this was never accepted. */
const MAX_CHAIN = 8;

/** Empty where there is no certificate, or the socket is gone. */
export function peerChain(socket: TLSSocket): readonly Uint8Array[] {
  const chain: Uint8Array[] = [];
  let at = socket.getPeerX509Certificate();
  while (at && chain.length < MAX_CHAIN) {
    chain.push(at.raw);
    at = at.issuerCertificate;
  }
  return chain;
}
