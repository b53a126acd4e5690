/**
 * Which tunnel does a connection take? Tunnels are shared only by what agrees in everything that was
 * proven: the calling pod with its address and identity, and the called pod with its own.
 *
 * Two pods of one account never share one, and an address that changes hands never meets an old one. A new
 * leaf fails nothing and delays nobody: the tunnel of the old leaf, which is still valid, serves until
 * its successor is verified, and ends with its last stream.
 */
import type { TLSSocket } from "node:tls";
import type { HboneStream } from "../hbone/stream.ts";
import type { OwnLeaf } from "../identity/tls-context.ts";
import { type IsRevoked, revokedEnd } from "./revoked-end.ts";
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

/** Given back when a tunnel is closed, also one that ended with its last stream. */
interface Slot {
  end(): void;
}

/** Of a pod that opens tunnels, by its UID; `undefined` for one that is not known. */
type SlotsOf = (uid: string) => { take(): Slot | undefined } | undefined;

/** Are the peer's certificate and ours trusted now? */
export type IsTrusted = (socket: TLSSocket, own: OwnLeaf) => boolean;

/** Times that a stream which the far side never looked at is asked for again. */
const MAX_RETRIES = 2;
/** Between two successors of one tunnel: leaves may change faster than handshakes are worth. */
const SUCCESSOR_INTERVAL_MS = 1_000;

/** Of a tunnel that was in use. After a revocation another leaf may be there by now, at either end. */
const LOST: ReadonlySet<TunnelError["reason"]> = new Set([
  "tunnel_lost",
  "trust_withdrawn",
  "own_certificate_revoked",
  "peer_certificate_revoked",
]);

interface Entry {
  readonly tunnel: Tunnel;
  readonly route: Route;
  readonly slot: Slot | undefined;
  /** It began with a leaf that is no longer the one served. */
  isOutdated: boolean;
}

/** All tunnels that one connection may take. */
interface Route {
  readonly key: string;
  readonly ends: TunnelEnds;
  readonly entries: Entry[];
  /** On the clock of `performance.now()`. */
  successorNotBeforeMs: number;
}

export class TunnelPool implements TunnelOwner {
  readonly #openHandshake: OpenHandshake;
  readonly #slotsOf: SlotsOf;
  readonly #routes = new Map<string, Route>();
  readonly #live = new Map<Tunnel, Entry>();
  readonly #draining = new Map<Tunnel, Entry>();

  constructor(openHandshake: OpenHandshake, slotsOf: SlotsOf) {
    this.#openHandshake = openHandshake;
    this.#slotsOf = slotsOf;
  }

  /** Tunnels that may take streams, for metrics. */
  get size(): number {
    return this.#live.size;
  }

  /** A stream to `authority` (`address:port`), answered with 200. Rejects with `TunnelError`. */
  async open(ends: TunnelEnds, authority: string): Promise<HboneStream> {
    for (let attempt = 0; ; attempt += 1) {
      const route = this.#routeOf(ends);
      const used = this.#chosen(route);
      const { tunnel } = used ?? this.#connectOneMore(route);
      try {
        return await tunnel.open(authority);
      } catch (error) {
        const isNew = used === undefined;
        if (attempt >= MAX_RETRIES || !mayRetry(error, { isNew, attempt })) throw error;
      }
    }
  }

  /** Tunnels from or to a workload take no new streams; open ones end by themselves. */
  drainWorkload(uid: string): void {
    for (const { tunnel, route } of Array.from(this.#live.values())) {
      const { sourceUid, destinationUid } = route.ends;
      if (sourceUid === uid || destinationUid === uid) tunnel.drain();
    }
  }

  /** The identity has another leaf: its tunnels are replaced at leisure, open streams stay untouched. */
  outdateIdentity(identity: string): void {
    for (const entry of this.#live.values()) {
      if (entry.route.ends.sourceIdentity === identity) entry.isOutdated = true;
    }
  }

  /**
   * Tunnels whose own leaf is of another issuer than the one served now end, so that nothing rests on an older CA:
   * at once where unused, else with their last stream, after a successor that is begun now. "" where none is served.
   */
  leaveOlderIssuers(issuerOf: (identity: string) => string): void {
    for (const entry of Array.from(this.#live.values())) {
      const { tunnel, route } = entry;
      const issuer = issuerOf(route.ends.sourceIdentity);
      if (issuer === "" || !tunnel.own || tunnel.own.issuer === issuer) continue;
      entry.isOutdated = true;
      if (tunnel.isUnused || hasSuccessor(route)) tunnel.drain();
      else if (!route.entries.some((other) => other.tunnel.isConnecting)) this.#succeed(route);
    }
  }

  /** The identity has no leaf any more: no new streams in its name. */
  drainIdentity(identity: string): void {
    for (const { tunnel, route } of Array.from(this.#live.values())) {
      if (route.ends.sourceIdentity === identity) tunnel.drain();
    }
  }

  /** After a change of trust: ends tunnels, drained ones too, with an end that is not trusted any more. */
  endUntrusted(isTrusted: IsTrusted): void {
    for (const { tunnel } of this.#all()) {
      const { socket, own } = tunnel;
      if (socket && own && !isTrusted(socket, own)) tunnel.destroy("trust_withdrawn");
    }
  }

  /** After a change of revocations: ends tunnels, drained ones too, that began with a leaf that was taken back. */
  endRevoked(isRevoked: IsRevoked): void {
    for (const { tunnel } of this.#all()) {
      const reason = tunnel.socket && revokedEnd(tunnel.socket, isRevoked);
      if (reason) tunnel.destroy(reason);
    }
  }

  /** The pod is gone: ends tunnels from or to it, drained ones and those that are being opened too. */
  endWorkload(uid: string): void {
    for (const { tunnel, route } of this.#all()) {
      const { sourceUid, destinationUid } = route.ends;
      if (sourceUid === uid || destinationUid === uid) tunnel.destroy("workload_gone");
    }
  }

  close(): void {
    for (const tunnel of [...this.#live.keys(), ...this.#draining.keys()])
      tunnel.destroy("tunnel_lost");
  }

  onTunnelReady(tunnel: Tunnel): void {
    const route = this.#live.get(tunnel)?.route;
    if (!route || !hasSuccessor(route)) return;
    for (const entry of Array.from(route.entries)) if (entry.isOutdated) entry.tunnel.drain();
  }

  onTunnelLeaving(tunnel: Tunnel): void {
    const entry = this.#live.get(tunnel);
    if (!entry) return;
    const { key, entries } = entry.route;
    this.#live.delete(tunnel);
    this.#draining.set(tunnel, entry);
    entries.splice(entries.indexOf(entry), 1);
    if (entries.length === 0) this.#routes.delete(key);
  }

  onTunnelClosed(tunnel: Tunnel): void {
    const entry = this.#draining.get(tunnel);
    if (!entry) return;
    this.#draining.delete(tunnel);
    entry.slot?.end();
  }

  #all(): readonly Entry[] {
    return [...this.#live.values(), ...this.#draining.values()];
  }

  #routeOf(ends: TunnelEnds): Route {
    const key = keyOf(ends);
    const known = this.#routes.get(key);
    if (known) return known;
    const route = { key, ends, entries: [], successorNotBeforeMs: 0 };
    this.#routes.set(key, route);
    return route;
  }

  /** Of today's leaf and ready, else of the leaf before and ready, else what is connecting. */
  #chosen(route: Route): Entry | undefined {
    let outdated: Entry | undefined;
    let connecting: Entry | undefined;
    for (const entry of route.entries) {
      if (!entry.tunnel.hasRoom()) continue;
      if (entry.tunnel.isConnecting) connecting ??= entry;
      else if (!entry.isOutdated) return entry;
      else outdated ??= entry;
    }
    if (outdated && !connecting) this.#succeed(route);
    return outdated ?? connecting;
  }

  #succeed(route: Route): void {
    const now = performance.now();
    if (now < route.successorNotBeforeMs) return;
    route.successorNotBeforeMs = now + SUCCESSOR_INTERVAL_MS;
    // Whatever the limit: it takes the place of another.
    this.#connect(route, this.#slotsOf(route.ends.sourceUid)?.take());
  }

  #connectOneMore(route: Route): Entry {
    const slots = this.#slotsOf(route.ends.sourceUid);
    const slot = slots?.take();
    if (!slots || slot) return this.#connect(route, slot);
    if (route.entries.length === 0) this.#routes.delete(route.key);
    throw new TunnelError("pod_tunnels_exhausted", "as many tunnels are open as the pod may have");
  }

  #connect(route: Route, slot: Slot | undefined): Entry {
    const tunnel = new Tunnel(this.#openHandshake(route.ends), this);
    const entry = { tunnel, route, slot, isOutdated: false };
    this.#live.set(tunnel, entry);
    route.entries.push(entry);
    return entry;
  }
}

/** Is there a tunnel of today's leaf that takes streams? */
function hasSuccessor({ entries }: Route): boolean {
  return entries.some((entry) => !entry.isOutdated && !entry.tunnel.isConnecting);
}

/** No byte of the application was sent, so a stream that a used tunnel lost may be asked for again. */
function mayRetry(
  error: unknown,
  { isNew, attempt }: { readonly isNew: boolean; readonly attempt: number },
): boolean {
  if (!(error instanceof TunnelError)) return false;
  if (error.reason === "tunnel_stream_refused") return true;
  // Once: a peer that resets them for their number must not get three times as many.
  if (error.reason === "tunnel_handshake_lost") return attempt === 0;
  return !isNew && LOST.has(error.reason);
}

function keyOf(ends: TunnelEnds): string {
  return `${ends.sourceUid} ${ends.sourceAddress} ${ends.sourceIdentity} ${ends.destinationUid} ${ends.destinationAddress} ${ends.expectedIdentity}`;
}
