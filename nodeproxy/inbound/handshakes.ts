/**
 * TLS handshakes under way on one tunnel listener: who is behind each, and not too many of one source.
 *
 * A handshake costs memory before its caller has proven anything, and may take ten seconds. Bounded for
 * each source address, so that one machine that begins handshakes without end does not shut out the others.
 */
import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import { canonicalIp } from "../../core/model/ip.ts";
import type { OwnLeaf } from "../identity/tls-context.ts";

/** A caller opens one for each tunnel; an address is one pod's or, masqueraded, stands for those of one node. */
const MAX_FROM_ONE_SOURCE = 512;

export interface Origin {
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localAddress: string;
  /** The leaf of the called pod, by which the handshake was begun. */
  readonly own?: OwnLeaf | undefined;
}

export class Handshakes {
  readonly #bySource = new Map<string, number>();
  /** By the socket under TLS. A socket that is gone tells its address no more. */
  readonly #origins = new WeakMap<Socket, Origin>();
  readonly #pending = new WeakSet<Socket>();

  /** False where the source has too many already: the caller ends the socket. */
  begin(socket: Socket, own: OwnLeaf | undefined): boolean {
    const origin = { ...originOf(socket), own };
    this.#origins.set(socket, origin);
    const count = this.#bySource.get(origin.remoteAddress) ?? 0;
    if (count >= MAX_FROM_ONE_SOURCE) return false;
    this.#bySource.set(origin.remoteAddress, count + 1);
    this.#pending.add(socket);
    socket.once("close", () => this.#ended(socket));
    return true;
  }

  /** The handshake is over, well or badly. Tells who began it. */
  end(tls: TLSSocket): Origin {
    // Node has no public name for the socket under TLS, and a TLS socket that was destroyed has no address left.
    const { _parent: socket } = tls as { readonly _parent?: Socket };
    if (!socket) return originOf(tls);
    this.#ended(socket);
    return this.#origins.get(socket) ?? originOf(tls);
  }

  #ended(socket: Socket): void {
    if (!this.#pending.delete(socket)) return;
    const { remoteAddress = "" } = this.#origins.get(socket) ?? {};
    const count = (this.#bySource.get(remoteAddress) ?? 1) - 1;
    if (count === 0) this.#bySource.delete(remoteAddress);
    else this.#bySource.set(remoteAddress, count);
  }
}

/** Addresses in their canonical form. */
export function originOf({ remoteAddress, remotePort, localAddress }: Socket): Origin {
  return {
    remoteAddress: canonicalIp(remoteAddress ?? "") ?? "",
    remotePort: remotePort ?? 0,
    localAddress: canonicalIp(localAddress ?? "") ?? "",
  };
}

/** Why a handshake came to nothing, as a code of ours. */
export function handshakeCode(error: Error, socket: TLSSocket): string {
  const code = (error as NodeJS.ErrnoException).code ?? "";
  if (code === "ERR_TLS_HANDSHAKE_TIMEOUT") return "tls_handshake_timeout";
  if (code === "ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE") return "peer_certificate_missing";
  // Node's types say an Error, always; it is null or OpenSSL's name of what is wrong with the chain.
  switch ((socket as { readonly authorizationError: unknown }).authorizationError) {
    case null:
    case undefined:
      return "tls_handshake_failed";
    case "CERT_HAS_EXPIRED":
    case "CERT_NOT_YET_VALID":
      return "peer_certificate_expired";
    default:
      return "peer_not_authorized";
  }
}
