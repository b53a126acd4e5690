/**
 * The tunnels that are open to one pod, by what their ends have proven: which of them must end when trust, a
 * revocation or the news of a pod's end takes their ground away. Never asks who may talk to whom.
 */
import type { ServerHttp2Session } from "node:http2";
import type { TLSSocket } from "node:tls";
import type { OwnLeaf } from "../identity/tls-context.ts";
import type { VerifiedPeer } from "../identity/verify-peer.ts";
import type { IsTrusted } from "../tunnel/pool.ts";
import { type IsRevoked, revokedEnd } from "../tunnel/revoked-end.ts";
import { TunnelError } from "../tunnel/tunnel-error.ts";

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
  readonly #open = new Map<ServerHttp2Session, OpenTunnel>();

  add(session: ServerHttp2Session, tunnel: OpenTunnel): void {
    this.#open.set(session, tunnel);
  }

  delete(session: ServerHttp2Session): void {
    this.#open.delete(session);
  }

  /** One of whose certificates does not chain to today's roots. */
  endUntrusted(isTrusted: IsTrusted): void {
    for (const [session, { socket, own }] of this.#open) {
      if (isTrusted(socket, own)) continue;
      session.destroy(new TunnelError("trust_withdrawn", "not trusted any more"));
    }
  }

  /** Has callers open new ones in place of those whose own leaf is of another issuer; open streams go on. */
  leaveOlderIssuers(issuer: string): void {
    for (const [session, { own }] of this.#open) {
      if (own.issuer !== issuer && !session.closed) session.close();
    }
  }

  /** One of whose ends has a certificate that was taken back. */
  endRevoked(isRevoked: IsRevoked): void {
    for (const [session, { socket }] of this.#open) {
      const reason = revokedEnd(socket, isRevoked);
      if (reason) session.destroy(new TunnelError(reason, "certificate revoked"));
    }
  }

  /** That a pod made which is gone. */
  endFrom(gone: GoneCaller): void {
    for (const [session, { caller }] of this.#open) {
      if (isFrom(caller, gone)) session.destroy(new TunnelError("workload_gone", "caller gone"));
    }
  }

  /** The pod itself is gone, though some process of it may live on. */
  endAll(): void {
    for (const session of this.#open.keys()) {
      session.destroy(new TunnelError("workload_gone", "pod gone"));
    }
  }

  /** Tells callers to open new tunnels elsewhere; open streams go on. */
  drain(): void {
    for (const session of this.#open.keys()) session.close();
  }

  close(): void {
    for (const session of this.#open.keys()) session.destroy(new Error("listener closed"));
  }
}

/** A tunnel whose caller was not known as it began is the gone pod's where it can be nobody else's. */
function isFrom({ uid, peer, remoteAddress }: TunnelCaller, gone: GoneCaller): boolean {
  if (uid !== "") return uid === gone.uid;
  if (peer.uri !== gone.identity || !gone.addresses.includes(remoteAddress)) return false;
  return !gone.isTaken(remoteAddress);
}
