/**
 * Has one end of an open tunnel a certificate that was taken back? Asked of every tunnel whenever that set changes, so
 * the serial numbers are read once for each connection. Never asks what a certificate is worth otherwise.
 */
import type { X509Certificate } from "node:crypto";
import type { TLSSocket } from "node:tls";

export type RevokedEnd = "own_certificate_revoked" | "peer_certificate_revoked";

export type IsRevoked = (serial: string) => boolean;

interface Serials {
  readonly own: string;
  readonly peer: string;
}

const known = new WeakMap<TLSSocket, Serials>();

/** Of a connection whose handshake is done. */
export function revokedEnd(socket: TLSSocket, isRevoked: IsRevoked): RevokedEnd | undefined {
  const { own, peer } = serialsOf(socket);
  if (isRevoked(peer)) return "peer_certificate_revoked";
  return isRevoked(own) ? "own_certificate_revoked" : undefined;
}

function serialsOf(socket: TLSSocket): Serials {
  const before = known.get(socket);
  if (before) return before;
  const serials = {
    own: serialOf(socket.getX509Certificate()),
    peer: serialOf(socket.getPeerX509Certificate()),
  };
  known.set(socket, serials);
  return serials;
}

/** OpenSSL's text of the number has upper case, and like ours whole octets without leading zeros. */
function serialOf(certificate: X509Certificate | undefined): string {
  return certificate?.serialNumber.toLowerCase() ?? "";
}
