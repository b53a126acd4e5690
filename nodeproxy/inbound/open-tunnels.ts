/**
 * The tunnels that are open to one pod, by what their ends have proven: which of them must end when trust, a
 * revocation or the news of a pod's end takes their ground away. Never asks who may talk to whom.
 */
import type { TLSSocket } from "node:tls";
import type { HboneConnection } from "../hbone/connection.ts";
import type { OwnLeaf } from "../identity/tls-context.ts";
import type { VerifiedPeer } from "../identity/verify-peer.ts";
import type { IsTrusted } from "../tunnel/pool.ts";
import { type IsRevoked, revokedEnd } from "../tunnel/revoked-end.ts";

/** Who made a tunnel. */
export interface TunnelCaller {
  readonly peer: VerifiedPeer;
  /** Canonical. */
  readonly remoteAddress: string;
  /** Of the pod that had this address and identity as the tunnel began; "" where none was known. */
  readonly uid: string;
}

/** A pod that is gone, by what its tunnels show. */
export interface GoneCaller {
  readonly uid: string;
  readonly identity: string;
  readonly addresses: readonly string[];
  /** Another pod of this identity has the address by now. */
  readonly isTaken: (address: string) => boolean;
}

interface OpenTunnel {
  readonly socket: TLSSocket;
  readonly own: OwnLeaf;
  readonly caller: TunnelCaller;
}

export class OpenTunnels {
  readonly #open = new Map<HboneConnection, OpenTunnel>();

  add(connection: HboneConnection, tunnel: OpenTunnel): void {
    this.#open.set(connection, tunnel);
  }

  delete(connection: HboneConnection): void {
    this.#open.delete(connection);
  }

  /** One of whose certificates does not chain to today's roots. */
  endUntrusted(isTrusted: IsTrusted): void {
    for (const [connection, { socket, own }] of this.#open) {
      if (!isTrusted(socket, own)) connection.destroy("trust_withdrawn");
    }
  }

  /** Has callers open new ones in place of those whose own leaf is of another issuer; open streams go on. */
  leaveOlderIssuers(issuer: string): void {
    for (const [connection, { own }] of this.#open) {
      if (own.issuer !== issuer) connection.close();
    }
  }

  /** One of whose ends has a certificate that was taken back. */
  endRevoked(isRevoked: IsRevoked): void {
    for (const [connection, { socket }] of this.#open) {
      const reason = revokedEnd(socket, isRevoked);
      if (reason) connection.destroy(reason);
    }
  }

  /** That a pod made which is gone. */
  endFrom(gone: GoneCaller): void {
    for (const [connection, { caller }] of this.#open) {
      if (isFrom(caller, gone)) connection.destroy("workload_gone");
    }
  }

  /** The pod itself is gone, though some process of it may live on. */
  endAll(): void {
    for (const connection of this.#open.keys()) {
      connection.destroy("workload_gone");
    }
  }

  /** Tells callers to open new tunnels elsewhere; open streams go on. */
  drain(): void {
    for (const connection of this.#open.keys()) connection.close();
  }

  close(): void {
    for (const connection of this.#open.keys()) connection.destroy();
  }
}

/** A tunnel whose caller was not known as it began is the gone pod's where it can be nobody else's. */
function isFrom({ uid, peer, remoteAddress }: TunnelCaller, gone: GoneCaller): boolean {
  if (uid !== "") return uid === gone.uid;
  if (peer.uri !== gone.identity || !gone.addresses.includes(remoteAddress)) return false;
  return !gone.isTaken(remoteAddress);
}
