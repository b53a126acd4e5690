/**
 * Takes tunnels to one captured pod on port 15008: TLS by the pod's own leaf, the caller verified once
 * for each connection, then one CONNECT stream for each call.
 *
 * Answers 200, 400 malformed, 401 denied, 503 cannot reach. One stream cannot hurt another.
 */
import type { Socket } from "node:net";
import { createServer, type Server, type TLSSocket } from "node:tls";
import { NO_PARTY } from "../flow/connection-facts.ts";
import { HboneConnection } from "../hbone/connection.ts";
import type { HboneStream } from "../hbone/stream.ts";
import { CODE } from "../http2/protocol.ts";
import type { RequestFields } from "../http2/request-fields.ts";
import type { OwnLeaf, TlsContexts } from "../identity/tls-context.ts";
import { verifyPeer } from "../identity/verify-peer.ts";
import type { IsTrusted } from "../tunnel/pool.ts";
import { revokedEnd } from "../tunnel/revoked-end.ts";
import type { TunnelIssuers } from "../tunnel/tunnel-issuers.ts";
import { carryIn } from "./carry-in.ts";
import { Handshakes, handshakeCode, type Origin, originOf } from "./handshakes.ts";
import type { InboundPod } from "./inbound-pod.ts";
import { OpenTunnels, type TunnelCaller } from "./open-tunnels.ts";
import { parseAttempt } from "./parse-attempt.ts";
import { TunnelCall } from "./tunnel-call.ts";

/** For TLS, and once more from there to the caller's first SETTINGS. */
const HANDSHAKE_TIMEOUT_MS = 10_000;
/** Open at once in one tunnel. Weft and ztunnel open 100. */
const MAX_OPEN_STREAMS = 1_000;
/** Answered 400 in one tunnel before the caller needs a new one: nothing else limits how fast it may send them. */
const MAX_MALFORMED = 1_000;

export interface TunnelListenerParts {
  readonly pod: InboundPod;
  readonly contexts: TlsContexts;
  /** Told of each tunnel. */
  readonly issuers: TunnelIssuers;
  /** `spiffe://…` of the pod; `undefined` while it is not known. */
  readonly identity: () => string | undefined;
}

interface Caller extends Origin, TunnelCaller {
  readonly connection: HboneConnection;
  /** Requests that HTTP/2 or we found malformed. */
  malformed: number;
}

export class TunnelListener {
  readonly #parts: TunnelListenerParts;
  readonly #server: Server;
  readonly #open = new OpenTunnels();
  readonly #handshakes: Handshakes;
  #contextVersion = -1;
  #own: OwnLeaf | undefined;
  #trustChange: { readonly atMs: number; readonly isTrusted: IsTrusted } | undefined;
  #isDraining = false;

  constructor(parts: TunnelListenerParts) {
    this.#parts = parts;
    this.#handshakes = new Handshakes(parts.pod.tunnelSlots, (socket, from) => {
      this.#report("", from, "too_many_handshakes");
      socket.destroy();
    });
    // Without a certificate every handshake fails, which is what a pod without a leaf must do.
    this.#server = createServer({
      requestCert: true,
      rejectUnauthorized: true,
      ALPNProtocols: ["h2"],
      minVersion: "TLSv1.3",
      handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
      noDelay: true,
    });
    // Before Node's own listener. Built for the handshake that needs it and not for each change: many leaves may
    // come between two handshakes.
    this.#server.prependListener("connection", (socket: Socket) => {
      this.#refresh();
      const refusal = this.#handshakes.begin(socket, this.#own);
      if (refusal === undefined) return;
      this.#report("", originOf(socket), refusal);
      socket.destroy();
    });
    this.#server.on("secureConnection", (socket) => this.#take(socket));
    this.#server.on("tlsClientError", (error, socket) => {
      if (this.#handshakes.wasRefused(socket)) return;
      this.#report("", this.#handshakes.end(socket), handshakeCode(error, socket));
      socket.destroy();
    });
  }

  get server(): Server {
    return this.#server;
  }

  get open(): Omit<OpenTunnels, "add" | "delete" | "endUntrusted" | "drain"> {
    return this.#open;
  }

  /** Tunnels end with their last call, those whose handshakes are under way as well. Calls on their way are taken. */
  drain(): void {
    this.#isDraining = true;
    this.#open.drain();
  }

  /** Ends tunnels one of whose certificates does not chain to today's roots. */
  endUntrusted(isTrusted: IsTrusted): void {
    this.#trustChange = { atMs: performance.now(), isTrusted };
    this.#open.endUntrusted(isTrusted);
  }

  /** New connections get the leaf and the roots of now; open ones keep theirs. */
  #refresh(): void {
    const identity = this.#parts.identity();
    if (identity === undefined) return;
    const version = this.#parts.contexts.version(identity);
    if (version === this.#contextVersion) return;
    const options = this.#parts.contexts.server(identity);
    if (!options) return;
    this.#server.setSecureContext(options);
    this.#own = this.#parts.contexts.own(identity);
    this.#contextVersion = version;
  }

  #take(socket: TLSSocket): void {
    socket.on("error", ignore);
    const origin = this.#handshakes.end(socket);
    const { own } = origin;
    const { contexts, issuers, pod } = this.#parts;
    const { isRevoked } = contexts;
    const bundles = contexts.bundles();
    const result = verifyPeer(socket, { bundles, now: Date.now(), isRevoked });
    const defect = this.#defectOf(socket, own);
    if (result.kind === "refused" || !own || defect !== undefined) {
      this.#report("", origin, result.kind === "refused" ? result.reason : (defect ?? ""));
      socket.destroy();
      return;
    }
    issuers.follow(socket, { own, peer: result.peer, bundles });
    const uid = pod.callerUid(origin.remoteAddress, result.peer.uri);
    this.#greet({ socket, own }, { ...origin, peer: result.peer, uid });
  }

  #greet(
    ends: { socket: TLSSocket; own: OwnLeaf },
    proven: Omit<Caller, "connection" | "malformed">,
  ): void {
    const { uri } = proven.peer;
    const silent = setTimeout(() => {
      this.#report(uri, proven, "http2_preface_timeout");
      connection.destroy();
    }, HANDSHAKE_TIMEOUT_MS);
    const connection = new HboneConnection(
      ends.socket,
      {
        onReady: () => clearTimeout(silent),
        onRequest: (stream, request) => this.#call(caller, stream, request),
        onMalformed: () => {
          caller.malformed += 1;
          // Told once: floods of it end the tunnel.
          if (caller.malformed === 1) this.#report(uri, caller, "malformed_request");
        },
        onClosed: ({ reason }) => {
          clearTimeout(silent);
          this.#open.delete(connection);
          if (reason !== "lost") this.#report(uri, proven, reason);
        },
      },
      { isServer: true, maxStreams: MAX_OPEN_STREAMS },
    );
    const caller: Caller = { ...proven, connection, malformed: 0 };
    this.#open.add(connection, { ...ends, caller });
    if (this.#isDraining) connection.close();
  }

  /** What speaks against a tunnel besides the caller's certificate. */
  #defectOf(socket: TLSSocket, own: OwnLeaf | undefined): string | undefined {
    const { contexts, identity } = this.#parts;
    if (identity() === undefined) return "workload_gone";
    if (!own || !this.#isTrustedNow(socket, own)) return "peer_not_authorized";
    return revokedEnd(socket, contexts.isRevoked);
  }

  /** A handshake that began before a change of trust was verified by the roots of then. */
  #isTrustedNow(socket: TLSSocket, own: OwnLeaf): boolean {
    const change = this.#trustChange;
    if (!change || performance.now() - change.atMs > 2 * HANDSHAKE_TIMEOUT_MS) return true;
    return change.isTrusted(socket, own);
  }

  #call(caller: Caller, stream: HboneStream, request: RequestFields): void {
    const { pod } = this.#parts;
    const { connection } = caller;
    if (connection.streams.size > MAX_OPEN_STREAMS) {
      this.#report(caller.peer.uri, caller, "too_many_streams");
      stream.reset(CODE.refusedStream);
      return;
    }
    if (caller.peer.notAfterMs < Date.now()) {
      // The caller's proof has run out since the handshake: a new tunnel needs a new one.
      stream.reset(CODE.refusedStream);
      connection.close(true);
      return;
    }
    const addresses = pod.enrolment()?.addresses ?? [];
    const parsed = parseAttempt(request, caller.localAddress, addresses);
    if (parsed.kind === "malformed") {
      this.#report(caller.peer.uri, caller, parsed.reason);
      stream.answer(400, true);
      caller.malformed += 1;
      // Orderly: what else the caller has open in it may be honest.
      if (caller.malformed === MAX_MALFORMED) connection.close(true);
      return;
    }
    carryIn(new TunnelCall(pod, stream, { ...caller, ...parsed }));
  }

  #report(identity: string, from: Origin, code: string): void {
    const { pod } = this.#parts;
    const facts = {
      direction: "inbound",
      sinceMs: Date.now(),
      pod: pod.uid,
      source: { ...NO_PARTY, identity },
      sourceAddress: `${from.remoteAddress}:${from.remotePort}`,
      destination: pod.party(),
      destinationAddress: from.localAddress,
      upstreamAddress: "",
      service: "",
      tunnelled: identity !== "",
    } as const;
    pod.connections.report(facts, { code });
  }
}

function ignore(): void {}
