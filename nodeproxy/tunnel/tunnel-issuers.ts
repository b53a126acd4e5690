/**
 * By which certificates were the leaves of the live tunnels issued? Counted for both directions and both ends, so
 * that a rotation knows when nothing rests on the CA before any more. Decides nothing.
 */
import type { TLSSocket } from "node:tls";
import type { OlderTunnels } from "../../core/model/node-report.ts";
import type { TrustBundle } from "../../core/model/trust-bundle.ts";
import { issuerFingerprint } from "../../core/x509/issuer-fingerprint.ts";
import { peerChain } from "../identity/peer-chain.ts";
import type { OwnLeaf } from "../identity/tls-context.ts";
import type { VerifiedPeer } from "../identity/verify-peer.ts";

export interface TunnelEndsProof {
  readonly own: OwnLeaf;
  readonly peer: VerifiedPeer;
  readonly bundles: readonly TrustBundle[];
}

export class TunnelIssuers {
  /** By fingerprint. */
  readonly #counts = new Map<string, number>();
  #changes = 0;

  /** Grows with every change of the counts. */
  get changes(): number {
    return this.#changes;
  }

  /** A tunnel that has just been verified: counted until its socket closes. */
  follow(socket: TLSSocket, { own, peer, bundles }: TunnelEndsProof): void {
    if (socket.destroyed) return;
    const issuers = new Set([own.issuer, peerIssuer(socket, peer, { own, bundles })]);
    issuers.delete("");
    for (const issuer of issuers) this.#add(issuer, 1);
    socket.once("close", () => {
      for (const issuer of issuers) this.#add(issuer, -1);
    });
  }

  /** Of all issuers, sorted. One tunnel may stand under two. */
  counts(): readonly OlderTunnels[] {
    const counts = [...this.#counts].map(([issuer, count]) => ({ issuer, count }));
    return counts.toSorted((a, b) => (a.issuer < b.issuer ? -1 : 1));
  }

  #add(issuer: string, by: 1 | -1): void {
    const count = (this.#counts.get(issuer) ?? 0) + by;
    if (count === 0) this.#counts.delete(issuer);
    else this.#counts.set(issuer, count);
    this.#changes += 1;
  }
}

/** "" for a peer of another mesh: its CA is none of ours to rotate. */
function peerIssuer(
  socket: TLSSocket,
  peer: VerifiedPeer,
  { own, bundles }: Pick<TunnelEndsProof, "own" | "bundles">,
): string {
  const [voucher, ours] = [peer.identity.trustDomain, own.trustDomain].map((domain) =>
    bundles.find(({ trustDomain }) => trustDomain === domain),
  );
  if (!voucher || voucher.roots !== ours?.roots) return "";
  return issuerFingerprint(peerChain(socket), voucher.roots);
}
