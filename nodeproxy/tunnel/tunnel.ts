/**
 * One tunnel from a pod of this node to another pod: a TLS connection, verified before its first
 * byte, and CONNECT streams in it.
 *
 *   connecting ──► ready ──► closed
 *
 * `drain` takes it out of use in any state: streams that were promised (also those that wait for the
 * handshake) go on, and the tunnel closes with the last of them. Never asks who may talk to whom.
 */
import type { TLSSocket } from "node:tls";
import { HboneConnection } from "../hbone/connection.ts";
import type { HboneStream } from "../hbone/stream.ts";
import type { OwnLeaf } from "../identity/tls-context.ts";
import { answered } from "./answered.ts";
import { TunnelError, type TunnelReason } from "./tunnel-error.ts";

const PING_INTERVAL_MS = 10_000;
const PING_TIMEOUT_MS = 20_000;
const IDLE_MS = 300_000;
/** As ztunnel: more streams at once share one congestion window for too long. */
const MAX_OPEN_STREAMS = 100;
/** After so many a new tunnel is opened: far from the last id of a stream, RFC 9113 5.1.1. */
const MAX_LIFETIME_STREAMS = 100_000_000;

export type Handshake =
  | {
      readonly kind: "verified";
      readonly socket: TLSSocket;
      /** By which the peer knows us here. */
      readonly own: OwnLeaf;
      /** When the first of both certificates ends: no stream begins after that. Wall clock. */
      readonly validUntilMs: number;
    }
  | { readonly kind: "failed"; readonly error: TunnelError };

export interface TunnelOwner {
  /** Verified: streams begin at once from here on. */
  onTunnelReady(tunnel: Tunnel): void;
  /** The tunnel takes no more streams: forget it. Called once. */
  onTunnelLeaving(tunnel: Tunnel): void;
  /** Its last stream has ended, or it was lost. Called once, after `onTunnelLeaving`. */
  onTunnelClosed(tunnel: Tunnel): void;
}

type State =
  | { readonly kind: "connecting" }
  | {
      readonly kind: "ready";
      readonly connection: HboneConnection;
      readonly socket: TLSSocket;
      readonly own: OwnLeaf;
      readonly validUntilMs: number;
    }
  | { readonly kind: "closed"; readonly error: TunnelError };

export class Tunnel {
  readonly #owner: TunnelOwner;
  readonly #handshake: Promise<void>;
  /** Who waits for the handshake of a tunnel that is ended meanwhile must not wait for its end. */
  readonly #closed = Promise.withResolvers<void>();
  #state: State = { kind: "connecting" };
  /** Streams open or waiting for the handshake. */
  #open = 0;
  #lifetime = 0;
  #lastUsedMs = performance.now();
  #timer: NodeJS.Timeout | undefined;
  #hasLeft = false;

  /** The handshake never rejects; if it does all the same, the tunnel fails with it. */
  constructor(handshake: Promise<Handshake>, owner: TunnelOwner) {
    this.#owner = owner;
    this.#handshake = handshake.then(
      (outcome) => this.#onHandshake(outcome),
      (cause: unknown) => {
        this.#fail(new TunnelError("tunnel_connect_failed", "handshake", { cause }));
      },
    );
  }

  /** The TLS connection once it is verified, to look at its certificate again after a change of trust. */
  get socket(): TLSSocket | undefined {
    const state = this.#state;
    return state.kind === "ready" ? state.socket : undefined;
  }

  /** The leaf that it was made with, once it is verified. */
  get own(): OwnLeaf | undefined {
    return this.#state.kind === "ready" ? this.#state.own : undefined;
  }

  get isUnused(): boolean {
    return this.#open === 0;
  }

  get isConnecting(): boolean {
    return this.#state.kind === "connecting";
  }

  hasRoom(): boolean {
    const state = this.#state;
    if (this.#hasLeft || this.#lifetime >= MAX_LIFETIME_STREAMS) return false;
    switch (state.kind) {
      case "connecting":
        return this.#open < MAX_OPEN_STREAMS;
      case "ready":
        if (state.connection.isClosing || Date.now() >= state.validUntilMs) return false;
        return this.#open < Math.min(state.connection.maxStreams, MAX_OPEN_STREAMS);
      case "closed":
        return false;
    }
  }

  /** A stream that the far side has answered with 200. Rejects with `TunnelError`. */
  async open(authority: string): Promise<HboneStream> {
    this.#open += 1;
    this.#lifetime += 1;
    let stream: HboneStream | undefined;
    try {
      if (this.#state.kind === "connecting") {
        await Promise.race([this.#handshake, this.#closed.promise]);
      }
      stream = this.#request(authority);
      return await answered(stream);
    } catch (error) {
      if (!stream) this.#streamEnded();
      throw error;
    }
  }

  /** No new streams; ends with the last that was promised. */
  drain(): void {
    this.#leave();
    this.#closeIfUnused();
  }

  /** Ends now, with all its streams. */
  destroy(reason: TunnelReason): void {
    this.#fail(new TunnelError(reason, "tunnel ended"));
  }

  #request(authority: string): HboneStream {
    const state = this.#state;
    if (state.kind === "closed") throw state.error;
    const stream = state.kind === "ready" ? state.connection.request(authority) : undefined;
    if (stream) return stream;
    throw new TunnelError("tunnel_stream_refused", "tunnel takes no more streams");
  }

  #onHandshake(outcome: Handshake): void {
    if (outcome.kind === "failed") {
      this.#fail(outcome.error);
      return;
    }
    const { socket, own, validUntilMs } = outcome;
    if (this.#state.kind !== "connecting" || (this.#hasLeft && this.#open === 0)) {
      socket.destroy();
      this.#fail(new TunnelError("tunnel_lost", "tunnel not needed any more"));
      return;
    }
    const connection = new HboneConnection(
      socket,
      {
        onGoAway: () => this.drain(),
        onStreamClosed: () => this.#streamEnded(),
        onClosed: (cause) => this.#fail(new TunnelError("tunnel_lost", "tunnel closed", { cause })),
      },
      // Pods ask; nobody asks them by a tunnel of their own making.
      { isServer: false, maxStreams: 0 },
    );
    this.#state = { kind: "ready", connection, socket, own, validUntilMs };
    this.#timer = setInterval(() => this.#keepAlive(), PING_INTERVAL_MS).unref();
    if (!this.#hasLeft) this.#owner.onTunnelReady(this);
  }

  #keepAlive(): void {
    const state = this.#state;
    if (state.kind !== "ready") return;
    const isIdle = this.#open === 0 && performance.now() - this.#lastUsedMs > IDLE_MS;
    if (isIdle || Date.now() >= state.validUntilMs) this.drain();
    if (this.#open === 0) return;
    // A peer whose machine vanished sends nothing: without this its streams would hang for ever.
    const timeout = setTimeout(() => {
      this.#fail(new TunnelError("tunnel_lost", "ping unanswered"));
    }, PING_TIMEOUT_MS).unref();
    state.connection.ping(() => clearTimeout(timeout));
  }

  #streamEnded(): void {
    this.#open -= 1;
    this.#lastUsedMs = performance.now();
    if (this.#open > 0) return;
    if (this.#lifetime >= MAX_LIFETIME_STREAMS) this.#leave();
    this.#closeIfUnused();
  }

  /** GOAWAY only now: before, streams that still wait for the handshake would be refused. */
  #closeIfUnused(): void {
    const state = this.#state;
    if (this.#hasLeft && this.#open === 0 && state.kind === "ready") state.connection.close();
  }

  #fail(error: TunnelError): void {
    this.#leave();
    const state = this.#state;
    if (state.kind === "closed") return;
    this.#state = { kind: "closed", error };
    this.#closed.resolve();
    clearInterval(this.#timer);
    if (state.kind === "ready" && !state.connection.isClosed) {
      state.connection.destroy(error.reason);
    }
    this.#owner.onTunnelClosed(this);
  }

  #leave(): void {
    if (this.#hasLeft) return;
    this.#hasLeft = true;
    this.#owner.onTunnelLeaving(this);
  }
}
