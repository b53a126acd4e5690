/**
 * The TLS connection under a tunnel: made by the source's own leaf on a socket of its pod's namespace,
 * and handed on only if the server proved to be the workload that was meant.
 */
import { Socket } from "node:net";
import { connect, type TLSSocket } from "node:tls";
import { parseSpiffeId } from "../../core/model/spiffe-id.ts";
import type { ClientTlsOptions, TlsContexts } from "../identity/tls-context.ts";
import { type PeerRefusal, verifyPeer } from "../identity/verify-peer.ts";
import { isChainTrusted, isStillTrusted } from "./is-still-trusted.ts";
import type { TunnelEnds } from "./pool.ts";
import { revokedEnd } from "./revoked-end.ts";
import type { Handshake } from "./tunnel.ts";
import { TunnelError } from "./tunnel-error.ts";
import type { TunnelIssuers } from "./tunnel-issuers.ts";

const TUNNEL_PORT = 15_008;
const CONNECT_TIMEOUT_MS = 10_000;

export interface HandshakeParts {
  readonly contexts: TlsContexts;
  /** A marked socket of the source pod's namespace; throws where that is gone. */
  readonly openSocket: (ends: TunnelEnds) => number;
  /** How long a missing leaf is waited for: it is on its way when a pod has just been captured. */
  readonly waitForLeaf: (identity: string) => Promise<ClientTlsOptions | undefined>;
  /** The mesh's trust domain and its aliases. */
  readonly meshDomains: () => readonly string[];
  /** Told of each tunnel. */
  readonly issuers: TunnelIssuers;
}

export async function openHandshake(parts: HandshakeParts, ends: TunnelEnds): Promise<Handshake> {
  const { sourceIdentity } = ends;
  try {
    const options =
      parts.contexts.client(sourceIdentity) ?? (await parts.waitForLeaf(sourceIdentity));
    if (!options) return failed("no_leaf", `no certificate of ${sourceIdentity} yet`);
    // Not half-open: a peer that is killed says no more than FIN, and the session would never end.
    const socket = new Socket({ fd: parts.openSocket(ends) });
    return await secured(parts, ends, { socket, options });
  } catch (cause) {
    return failed("tunnel_connect_failed", "socket for a tunnel", cause);
  }
}

function secured(
  parts: HandshakeParts,
  ends: TunnelEnds,
  { socket, options }: { readonly socket: Socket; readonly options: ClientTlsOptions },
): Promise<Handshake> {
  const address = ends.destinationAddress;
  const bundles = parts.contexts.bundles();
  return new Promise((resolve) => {
    let isConnected = false;
    socket.setNoDelay(true);
    socket.setKeepAlive(true, 180_000);
    // Before TLS: over a socket that is not connecting yet, Node starts the handshake at once, into nothing.
    socket.connect({ host: address, port: TUNNEL_PORT });
    const tls = connect({ ...options, socket });
    const timeout = setTimeout(() => {
      const message = `connect to ${address}:${TUNNEL_PORT} timed out: a NetworkPolicy may block the tunnel port`;
      resolve(failed("tunnel_connect_timeout", message));
      tls.destroy();
      socket.destroy();
    }, CONNECT_TIMEOUT_MS);
    function fail(cause: unknown): void {
      clearTimeout(timeout);
      const reason = reasonOfFailure(cause, isConnected);
      resolve(failed(reason, `tunnel to ${address}:${TUNNEL_PORT}`, cause));
      tls.destroy();
      socket.destroy();
    }
    socket.once("connect", () => {
      isConnected = true;
    });
    socket.on("error", fail);
    tls.on("error", fail);
    tls.once("close", () => fail(new Error("closed during the handshake", { cause: "EOF" })));
    tls.once("secureConnect", () => {
      clearTimeout(timeout);
      resolve(verified(tls, ends, { parts, bundles, options }));
    });
  });
}

interface Proof {
  readonly parts: HandshakeParts;
  /** By whose roots the TLS context verified. */
  readonly bundles: ReturnType<TlsContexts["bundles"]>;
  /** With the own leaf. */
  readonly options: ClientTlsOptions;
}

function verified(socket: TLSSocket, ends: TunnelEnds, proof: Proof): Handshake {
  const expected = parseSpiffeId(ends.expectedIdentity);
  if (!expected) {
    socket.destroy();
    return failed("tunnel_wrong_identity", `not an identity: ${ends.expectedIdentity}`);
  }
  const { parts, bundles, options } = proof;
  const { own, notAfterMs } = options;
  const { isRevoked } = parts.contexts;
  const meshDomains = parts.meshDomains();
  const result = verifyPeer(socket, {
    bundles,
    now: Date.now(),
    isRevoked,
    expected,
    meshDomains,
  });
  if (result.kind === "verified" && !isTrustedNow(socket, proof)) {
    socket.destroy();
    return failed("tunnel_tls_failed", "the roots changed during the handshake");
  }
  if (revokedEnd(socket, isRevoked) === "own_certificate_revoked") {
    socket.destroy();
    return failed("own_certificate_revoked", "the own certificate was revoked meanwhile");
  }
  if (result.kind === "verified") {
    const validUntilMs = Math.min(notAfterMs, result.peer.notAfterMs);
    parts.issuers.follow(socket, { own, peer: result.peer, bundles });
    return { kind: "verified", socket, own, validUntilMs };
  }
  socket.destroy();
  const message = `${ends.destinationAddress} did not prove to be ${ends.expectedIdentity}: ${result.reason}`;
  return failed(reasonOf(result.reason), message);
}

/** Ends of a connection that had been accepted, by the kernel's names and Node's. */
const LOST: ReadonlySet<unknown> = new Set(["ECONNRESET", "EPIPE", "EOF"]);

function reasonOfFailure(error: unknown, isConnected: boolean): TunnelError["reason"] {
  const { code, cause } = error as NodeJS.ErrnoException;
  if (LOST.has(code ?? cause)) return "tunnel_handshake_lost";
  return isConnected ? "tunnel_tls_failed" : "tunnel_connect_failed";
}

function reasonOf(refusal: PeerRefusal): TunnelError["reason"] {
  if (refusal === "peer_identity_unexpected") return "tunnel_wrong_identity";
  return refusal === "peer_certificate_revoked" ? refusal : "tunnel_tls_failed";
}

/** A change of trust looks at tunnels that are open; one that is being opened has to look itself. */
function isTrustedNow(socket: TLSSocket, { parts, bundles, options }: Proof): boolean {
  const current = parts.contexts.bundles();
  if (current === bundles) return true;
  return isStillTrusted(socket, current) && isChainTrusted(options.own.chain, current);
}

function failed(reason: TunnelError["reason"], message: string, cause?: unknown): Handshake {
  const error = new TunnelError(reason, message, cause === undefined ? undefined : { cause });
  return { kind: "failed", error };
}
