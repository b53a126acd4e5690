/**
 * Which tunnel does a connection take? Tunnels are shared only by what agrees in everything that was
 * proven: the calling pod with its address and identity, and the called pod with its own.
 *
 * Two pods of one account never share one, and an address that changes hands never meets an old one.
 */
import type { ClientHttp2Stream } from "node:http2";
import type { TLSSocket } from "node:tls";
import { type Handshake, Tunnel, type TunnelOwner } from "./tunnel.ts";
import { TunnelError } from "./tunnel-error.ts";

export interface TunnelEnds {
  readonly sourceUid: string;
  readonly sourceAddress: string;
  /** `spiffe://…` */
  readonly sourceIdentity: string;
  readonly destinationUid: string;
  readonly destinationAddress: string;
  readonly expectedIdentity: string;
}

/** Makes the TLS connection from the source pod's namespace and verifies whom it reached. */
export type OpenHandshake = (ends: TunnelEnds) => Promise<Handshake>;

/** Times that a stream which the far side never looked at is asked for again. */
const MAX_RETRIES = 2;

interface Entry {
  readonly ends: TunnelEnds;
  readonly tunnel: Tunnel;
  readonly key: string;
}

export class TunnelPool implements TunnelOwner {
  readonly #openHandshake: OpenHandshake;
  readonly #entries = new Map<string, Entry[]>();
  readonly #live = new Map<Tunnel, Entry>();
  readonly #draining = new Set<Tunnel>();

  constructor(openHandshake: OpenHandshake) {
    this.#openHandshake = openHandshake;
  }

  /** Tunnels that may take streams, for metrics. */
  get size(): number {
    return this.#live.size;
  }

  /** A stream to `authority` (`address:port`), answered with 200. Rejects with `TunnelError`. */
  async open(ends: TunnelEnds, authority: string): Promise<ClientHttp2Stream> {
    for (let attempt = 0; ; attempt += 1) {
      const { tunnel, isNew } = this.#tunnelFor(ends);
      try {
        return await tunnel.open(authority);
      } catch (error) {
        if (attempt >= MAX_RETRIES || !mayRetry(error, isNew)) throw error;
      }
    }
  }

  /** Tunnels from or to a workload take no new streams; open ones end by themselves. */
  drainWorkload(uid: string): void {
    for (const { ends, tunnel } of Array.from(this.#live.values())) {
      if (ends.sourceUid === uid || ends.destinationUid === uid) tunnel.drain();
    }
  }

  /** After a new leaf: new connections show it, open ones stay untouched. */
  drainIdentity(identity: string): void {
    for (const { ends, tunnel } of Array.from(this.#live.values())) {
      if (ends.sourceIdentity === identity) tunnel.drain();
    }
  }

  /** After a change of trust: ends tunnels, drained ones too, whose peer is not trusted any more. */
  endUntrusted(isTrusted: (socket: TLSSocket) => boolean): void {
    for (const tunnel of [...this.#live.keys(), ...this.#draining]) {
      const { socket } = tunnel;
      if (socket && !isTrusted(socket)) tunnel.destroy("tunnel_lost");
    }
  }

  close(): void {
    for (const tunnel of [...this.#live.keys(), ...this.#draining]) tunnel.destroy("tunnel_lost");
  }

  onTunnelLeaving(tunnel: Tunnel): void {
    const entry = this.#live.get(tunnel);
    if (!entry) return;
    this.#live.delete(tunnel);
    const rest = (this.#entries.get(entry.key) ?? []).filter((other) => other !== entry);
    if (rest.length === 0) this.#entries.delete(entry.key);
    else this.#entries.set(entry.key, rest);
    this.#draining.add(tunnel);
    tunnel.socket?.once("close", () => this.#draining.delete(tunnel));
    if (!tunnel.socket && !tunnel.isConnecting) this.#draining.delete(tunnel);
  }

  #tunnelFor(ends: TunnelEnds): { tunnel: Tunnel; isNew: boolean } {
    const key = keyOf(ends);
    const list = this.#entries.get(key) ?? [];
    for (const { tunnel } of list) if (tunnel.hasRoom()) return { tunnel, isNew: false };
    const tunnel = new Tunnel(this.#openHandshake(ends), this);
    const entry = { ends, tunnel, key };
    this.#live.set(tunnel, entry);
    list.push(entry);
    this.#entries.set(key, list);
    return { tunnel, isNew: true };
  }
}

/** No byte of the application was sent, so a stream that a used tunnel lost may be asked for again. */
function mayRetry(error: unknown, isNew: boolean): boolean {
  if (!(error instanceof TunnelError)) return false;
  return error.reason === "tunnel_stream_refused" || (error.reason === "tunnel_lost" && !isNew);
}

function keyOf(ends: TunnelEnds): string {
  return `${ends.sourceUid} ${ends.sourceAddress} ${ends.sourceIdentity} ${ends.destinationUid} ${ends.destinationAddress} ${ends.expectedIdentity}`;
}
