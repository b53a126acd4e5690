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
import { parseCertificate } from "../../core/x509/parse-certificate.ts";
import { verifyChain } from "../../core/x509/verify-chain.ts";

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
  /** Clients: whom the tunnel was meant to reach. */
  readonly expected?: SpiffeId;
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
  if (!isFromOwnRoots(x509, svid.identity, options)) {
    return { kind: "refused", reason: "peer_trust_domain" };
  }
  if (options.expected && formatSpiffeId(options.expected) !== svid.uri) {
    return { kind: "refused", reason: "peer_identity_unexpected" };
  }
  const peer = { identity: svid.identity, uri: svid.uri, notAfterMs } as VerifiedPeer;
  return { kind: "verified", peer };
}

function refusalOfConnection(socket: TLSSocket): PeerRefusal | undefined {
  if (!socket.authorized) return "peer_not_authorized";
  if (socket.getProtocol() !== "TLSv1.3") return "peer_not_tls13";
  // A resumed session was verified by the roots of an earlier time (CVE-2022-21654).
  if (socket.isSessionReused()) return "peer_session_resumed";
  return socket.alpnProtocol === "h2" ? undefined : "peer_alpn_not_h2";
}

type PeerX509 = NonNullable<ReturnType<TLSSocket["getPeerX509Certificate"]>>;

/**
 * A root vouches for its own trust domain only. With one bundle OpenSSL has just verified by it; with
 * several it does not say which root it found, so the chain is verified again by those of the one.
 */
function isFromOwnRoots(x509: PeerX509, identity: SpiffeId, options: VerifyPeerOptions): boolean {
  const own = options.bundles.filter((bundle) => bundle.trustDomain === identity.trustDomain);
  if (own.length === 0) return false;
  if (options.bundles.length === own.length) return true;
  const roots = own.flatMap((bundle) => bundle.roots);
  const chain: Uint8Array[] = [];
  for (let at: PeerX509 | undefined = x509; at && chain.length < 8; at = at.issuerCertificate) {
    chain.push(at.raw);
  }
  return verifyChain({ chain, roots, now: options.now }).kind === "verified";
}
