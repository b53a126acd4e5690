/**
 * One tunnel from a pod of this node to another pod: a TLS connection, verified before its first
 * byte, and CONNECT streams in it.
 *
 *   connecting ──► ready ──► draining ──► closed     (any) ──► closed
 *
 * Draining takes no new stream and ends with its last. Never asks who may talk to whom.
 */
import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants } from "node:http2";
import type { TLSSocket } from "node:tls";
import { HTTP2_OPTIONS, SESSION_WINDOW_BYTES } from "./http2-options.ts";
import { answerReason, TunnelError, type TunnelReason } from "./tunnel-error.ts";

const PING_INTERVAL_MS = 10_000;
const PING_TIMEOUT_MS = 20_000;
const IDLE_MS = 300_000;
const ANSWER_TIMEOUT_MS = 30_000;
/** As ztunnel: more streams at once share one congestion window for too long. */
const MAX_OPEN_STREAMS = 100;
/** After so many a new tunnel is opened: what Node keeps for each ended stream goes with the session. */
const MAX_LIFETIME_STREAMS = 20_000;

export type Handshake =
  | { readonly kind: "verified"; readonly socket: TLSSocket }
  | { readonly kind: "failed"; readonly error: TunnelError };

export interface TunnelOwner {
  /** The tunnel takes no more streams: forget it. Called once. */
  onTunnelLeaving(tunnel: Tunnel): void;
}

type State =
  | { readonly kind: "connecting" }
  | { readonly kind: "ready"; readonly session: ClientHttp2Session }
  | { readonly kind: "draining"; readonly session: ClientHttp2Session }
  | { readonly kind: "closed"; readonly error: TunnelError };

export class Tunnel {
  readonly #owner: TunnelOwner;
  readonly #handshake: Promise<Handshake>;
  #state: State = { kind: "connecting" };
  /** Streams open or waiting for the handshake. */
  #open = 0;
  #lifetime = 0;
  #lastUsedMs = performance.now();
  #timer: NodeJS.Timeout | undefined;
  #hasLeft = false;

  constructor(handshake: Promise<Handshake>, owner: TunnelOwner) {
    this.#owner = owner;
    this.#handshake = handshake.then((outcome) => {
      this.#onHandshake(outcome);
      return outcome;
    });
  }

  /** The TLS connection once it is verified, to look at its certificate again after a change of trust. */
  get socket(): TLSSocket | undefined {
    const state = this.#state;
    if (state.kind !== "ready" && state.kind !== "draining") return undefined;
    return state.session.destroyed ? undefined : (state.session.socket as TLSSocket);
  }

  get isConnecting(): boolean {
    return this.#state.kind === "connecting";
  }

  hasRoom(): boolean {
    const state = this.#state;
    if (this.#hasLeft || this.#lifetime >= MAX_LIFETIME_STREAMS) return false;
    if (state.kind === "connecting") return this.#open < MAX_OPEN_STREAMS;
    return state.kind === "ready" && this.#open < limitOf(state.session);
  }

  /** A stream that the far side has answered with 200. Rejects with `TunnelError`. */
  async open(authority: string): Promise<ClientHttp2Stream> {
    this.#open += 1;
    this.#lifetime += 1;
    let stream: ClientHttp2Stream | undefined;
    try {
      if (this.#state.kind === "connecting") await this.#handshake;
      const session = this.#usable();
      stream = session.request({ ":method": "CONNECT", ":authority": authority });
      stream.once("close", () => this.#streamEnded());
      return await answered(stream);
    } catch (error) {
      if (!stream) this.#streamEnded();
      throw error;
    }
  }

  /** No new streams; ends with the last open one. */
  drain(): void {
    this.#leave();
    const state = this.#state;
    if (state.kind !== "ready") return;
    this.#state = { kind: "draining", session: state.session };
    state.session.close();
  }

  /** Ends now, with all its streams. */
  destroy(reason: TunnelReason): void {
    this.#fail(new TunnelError(reason, "tunnel ended"));
  }

  #usable(): ClientHttp2Session {
    const state = this.#state;
    if (state.kind === "closed") throw state.error;
    if (state.kind !== "ready") {
      throw new TunnelError("tunnel_stream_refused", "tunnel takes no more streams");
    }
    return state.session;
  }

  #onHandshake(outcome: Handshake): void {
    if (outcome.kind === "failed") {
      this.#fail(outcome.error);
      return;
    }
    const { socket } = outcome;
    if (this.#state.kind !== "connecting") {
      socket.destroy();
      return;
    }
    const session = connect("https://tunnel", {
      ...HTTP2_OPTIONS,
      createConnection: () => socket,
    });
    session.on("connect", () => session.setLocalWindowSize(SESSION_WINDOW_BYTES));
    session.on("goaway", () => this.drain());
    session.on("error", (error) => this.#fail(lost(error)));
    session.on("close", () => this.#fail(new TunnelError("tunnel_lost", "tunnel closed")));
    this.#state = { kind: "ready", session };
    this.#timer = setInterval(() => this.#keepAlive(), PING_INTERVAL_MS).unref();
    if (this.#hasLeft) queueMicrotask(() => this.drain());
  }

  #keepAlive(): void {
    const state = this.#state;
    if (state.kind !== "ready" && state.kind !== "draining") return;
    if (this.#open === 0 && performance.now() - this.#lastUsedMs > IDLE_MS) {
      this.drain();
      return;
    }
    if (state.session.destroyed || this.#open === 0) return;
    // A peer whose machine vanished sends nothing: without this its streams would hang for ever.
    const timeout = setTimeout(() => {
      this.#fail(new TunnelError("tunnel_lost", "ping unanswered"));
    }, PING_TIMEOUT_MS).unref();
    state.session.ping(() => clearTimeout(timeout));
  }

  #streamEnded(): void {
    this.#open -= 1;
    this.#lastUsedMs = performance.now();
    if (this.#open === 0 && this.#lifetime >= MAX_LIFETIME_STREAMS) this.drain();
  }

  #fail(error: TunnelError): void {
    this.#leave();
    const state = this.#state;
    if (state.kind === "closed") return;
    this.#state = { kind: "closed", error };
    clearInterval(this.#timer);
    // With an error: without one Node tells the streams' readers of an orderly end.
    if (state.kind !== "connecting") state.session.destroy(error);
  }

  #leave(): void {
    if (this.#hasLeft) return;
    this.#hasLeft = true;
    this.#owner.onTunnelLeaving(this);
  }
}

function limitOf(session: ClientHttp2Session): number {
  // Before the peer's SETTINGS arrive Node reports its own defaults.
  const limit = session.remoteSettings.maxConcurrentStreams ?? MAX_OPEN_STREAMS;
  return Math.min(limit, MAX_OPEN_STREAMS);
}

function lost(cause: Error): TunnelError {
  return new TunnelError("tunnel_lost", "tunnel failed", { cause });
}

function answered(stream: ClientHttp2Stream): Promise<ClientHttp2Stream> {
  return new Promise((resolve, reject) => {
    const timeout = setTimeout(() => {
      reject(new TunnelError("tunnel_answer_timeout", "no answer to CONNECT"));
      stream.close(constants.NGHTTP2_CANCEL);
    }, ANSWER_TIMEOUT_MS);
    stream.once("response", (headers) => {
      clearTimeout(timeout);
      const status = headers[":status"];
      if (status === 200) {
        resolve(stream);
        return;
      }
      reject(new TunnelError(answerReason(status), `CONNECT answered ${status}`));
      stream.close(constants.NGHTTP2_CANCEL);
    });
    stream.on("error", ignore);
    stream.once("close", () => {
      clearTimeout(timeout);
      reject(unanswered(stream.rstCode));
    });
  });
}

/** The reason arrives with "close". */
function ignore(): void {}

function unanswered(code: number | undefined): TunnelError {
  return code === constants.NGHTTP2_REFUSED_STREAM
    ? new TunnelError("tunnel_stream_refused", "stream refused")
    : new TunnelError("tunnel_lost", "stream ended before its answer");
}
