/**
 * Who is at the other end of a TLS connection? The only place where a `VerifiedPeer` is made.
 *
 * Called once for each tunnel, after the handshake, before the first byte is answered. OpenSSL has
 * verified the chain to the mesh's roots by then; here the leaf's own octets are read once, strictly, and
 * judged by the rules of X.509-SVID. Never asks the legacy certificate object, whose text forms can be forged.
 */
import type { TLSSocket } from "node:tls";
import { formatSpiffeId, type SpiffeId } from "../../core/model/spiffe-id.ts";
import type { TrustBundle } from "../../core/model/trust-bundle.ts";
import { checkSvid, type SvidRefusal } from "../../core/x509/check-svid.ts";
import { formatSerial } from "../../core/x509/format-serial.ts";
import { parseCertificate } from "../../core/x509/parse-certificate.ts";
import { hasRetired, trustedRoots } from "../../core/x509/retired.ts";
import { verifyChain } from "../../core/x509/verify-chain.ts";
import { peerChain } from "./peer-chain.ts";

declare const verified: unique symbol;

/** Proof that the peer's certificate was verified. No other file may make one, not even by a cast. */
export interface VerifiedPeer {
  readonly [verified]: true;
  readonly identity: SpiffeId;
  /** `spiffe://…`, for logs and keys of maps. */
  readonly uri: string;
  readonly notAfterMs: number;
}

export type PeerRefusal =
  | SvidRefusal
  | "peer_not_authorized"
  | "peer_not_tls13"
  | "peer_alpn_not_h2"
  | "peer_session_resumed"
  | "peer_certificate_missing"
  | "peer_certificate_malformed"
  | "peer_certificate_expired"
  | "peer_certificate_revoked"
  | "peer_issuer_retired"
  | "peer_trust_domain"
  | "peer_identity_unexpected";

export type VerifiedPeerResult =
  | { readonly kind: "verified"; readonly peer: VerifiedPeer }
  | { readonly kind: "refused"; readonly reason: PeerRefusal };

export interface VerifyPeerOptions {
  /** Those whose roots the TLS context verified by, at the time of the handshake. */
  readonly bundles: readonly TrustBundle[];
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** Whether a leaf of the own trust domain was taken back, by its serial in hex. */
  readonly isRevoked?: (serial: string) => boolean;
  /** Clients: whom the tunnel was meant to reach. */
  readonly expected?: SpiffeId;
  /** The mesh's trust domain and its aliases, which all name the same workloads. */
  readonly meshDomains?: readonly string[];
}

export function verifyPeer(socket: TLSSocket, options: VerifyPeerOptions): VerifiedPeerResult {
  const reason = refusalOfConnection(socket);
  if (reason) return { kind: "refused", reason };
  const x509 = socket.getPeerX509Certificate();
  if (!x509) return { kind: "refused", reason: "peer_certificate_missing" };
  const parsed = parseCertificate(x509.raw);
  if (parsed.kind === "malformed") return { kind: "refused", reason: "peer_certificate_malformed" };
  const { notBeforeMs, notAfterMs } = parsed.certificate;
  if (options.now < notBeforeMs || options.now > notAfterMs) {
    return { kind: "refused", reason: "peer_certificate_expired" };
  }
  const svid = checkSvid(parsed.certificate);
  if (svid.kind === "refused") return svid;
  const reading = { identity: svid.identity, serial: parsed.certificate.serial };
  const distrust = refusalOfTrust(socket, reading, options);
  if (distrust) return { kind: "refused", reason: distrust };
  const peer = { identity: svid.identity, uri: svid.uri, notAfterMs } as VerifiedPeer;
  return { kind: "verified", peer };
}

interface Reading {
  readonly identity: SpiffeId;
  readonly serial: Uint8Array;
}

/** Do the mesh's roots vouch for that identity, today, and is it the one that was to be reached? */
function refusalOfTrust(
  socket: TLSSocket,
  { identity, serial }: Reading,
  options: VerifyPeerOptions,
): PeerRefusal | undefined {
  const { bundles, expected, isRevoked, meshDomains } = options;
  const chain = peerChain(socket);
  // Whether it lies on the path that OpenSSL found or beside it: no honest peer shows one.
  if (hasRetired(chain.slice(1), bundles)) return "peer_issuer_retired";
  if (!isFromOwnRoots(chain, identity, options)) return "peer_trust_domain";
  if (isRevoked?.(formatSerial(serial))) return "peer_certificate_revoked";
  const isOther = expected && !isSameWorkload(identity, expected, meshDomains);
  return isOther ? "peer_identity_unexpected" : undefined;
}

function refusalOfConnection(socket: TLSSocket): PeerRefusal | undefined {
  if (!socket.authorized) return "peer_not_authorized";
  if (socket.getProtocol() !== "TLSv1.3") return "peer_not_tls13";
  // A resumed session was verified by the roots of an earlier time (CVE-2022-21654).
  if (socket.isSessionReused()) return "peer_session_resumed";
  return socket.alpnProtocol === "h2" ? undefined : "peer_alpn_not_h2";
}

/** As policies see it: the names of one mesh name the same workloads. */
function isSameWorkload(
  actual: SpiffeId,
  expected: SpiffeId,
  meshDomains: readonly string[] = [],
): boolean {
  const { trustDomain } = expected;
  const isAlias = meshDomains.includes(trustDomain) && meshDomains.includes(actual.trustDomain);
  const named = isAlias ? { ...actual, trustDomain } : actual;
  return formatSpiffeId(named) === formatSpiffeId(expected);
}

/**
 * A root vouches for its own trust domain only. Where all bundles have the same roots OpenSSL has just verified by
 * them; else it does not say which root it found, so the chain is verified again by those of the one.
 */
function isFromOwnRoots(
  chain: readonly Uint8Array[],
  identity: SpiffeId,
  { bundles, now }: VerifyPeerOptions,
): boolean {
  const own = bundles.filter((bundle) => bundle.trustDomain === identity.trustDomain);
  const [first] = own;
  if (!first) return false;
  if (bundles.every(({ roots }) => roots === first.roots)) return true;
  const roots = trustedRoots(own, bundles);
  return verifyChain({ chain, roots, now }).kind === "verified";
}
