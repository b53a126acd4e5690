/**
 * TLS handshakes and tunnels on one tunnel listener: who is behind each, and not too many of one source, nor of all.
 *
 * A handshake costs memory before its caller has proven anything, and may take ten seconds. Bounded for
 * each source address, so that one machine that begins handshakes without end does not shut out the others; and for
 * the pod, so that many machines do not take what all pods of the node share.
 */
import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import { canonicalIp } from "../../core/model/ip.ts";
import type { PodSlots } from "../flow/pod-slots.ts";
import type { OwnLeaf } from "../identity/tls-context.ts";
import { SourceCounts } from "./source-counts.ts";

/** A caller opens one for each tunnel; an address is one pod's or, masqueraded, stands for those of one node. */
const MAX_FROM_ONE_SOURCE = 512;
/** Of all sources, at a tenth of a megabyte each. One more ends the oldest: an honest one takes no time at all. */
const MAX_UNDER_WAY = 1_024;
/** Tunnels that are open, of 100 or 1,000 streams each. */
const MAX_TUNNELS_FROM_ONE_SOURCE = 1_024;

/** Why a handshake is not begun. */
export type HandshakeRefusal = "too_many_handshakes" | "too_many_tunnels" | "pod_tunnels_exhausted";

export interface Origin {
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localAddress: string;
  /** The leaf of the called pod, by which the handshake was begun. */
  readonly own?: OwnLeaf | undefined;
}

export class Handshakes {
  readonly #slots: PodSlots;
  readonly #underWay = new SourceCounts();
  /** With those under way. */
  readonly #tunnels = new SourceCounts();
  /** By the socket under TLS. A socket that is gone tells its address no more. */
  readonly #origins = new WeakMap<Socket, Origin>();
  /** In the order of their beginning. */
  readonly #pending = new Set<Socket>();
  readonly #refused = new WeakSet<Socket>();

  readonly #onDisplaced: (socket: Socket, from: Origin) => void;

  /** `slots`: of the pod, for its tunnels. `onDisplaced`: too old among too many, as if it had been refused. */
  constructor(slots: PodSlots, onDisplaced: (socket: Socket, from: Origin) => void) {
    this.#slots = slots;
    this.#onDisplaced = onDisplaced;
  }

  /** Says why not where the source or the pod has too many already: the caller ends the socket. */
  begin(socket: Socket, own: OwnLeaf | undefined): HandshakeRefusal | undefined {
    const refusal = this.#begin(socket, own);
    if (refusal !== undefined) this.#refused.add(socket);
    return refusal;
  }

  /** Node's TLS begins all the same, and fails. */
  wasRefused(tls: TLSSocket): boolean {
    const socket = underneath(tls);
    return socket !== undefined && this.#refused.has(socket);
  }

  #begin(socket: Socket, own: OwnLeaf | undefined): HandshakeRefusal | undefined {
    const origin = { ...originOf(socket), own };
    this.#origins.set(socket, origin);
    const { remoteAddress } = origin;
    if (this.#underWay.of(remoteAddress) >= MAX_FROM_ONE_SOURCE) return "too_many_handshakes";
    if (this.#tunnels.of(remoteAddress) >= MAX_TUNNELS_FROM_ONE_SOURCE) return "too_many_tunnels";
    const slot = this.#slots.take();
    if (!slot) return "pod_tunnels_exhausted";
    this.#underWay.more(remoteAddress);
    this.#tunnels.more(remoteAddress);
    this.#pending.add(socket);
    socket.once("close", () => {
      this.#ended(socket);
      this.#tunnels.less(remoteAddress);
      slot.end();
    });
    if (this.#pending.size > MAX_UNDER_WAY) this.#displaceOldest();
    return undefined;
  }

  #displaceOldest(): void {
    const [oldest] = this.#pending;
    if (!oldest) return;
    this.#ended(oldest);
    this.#refused.add(oldest);
    this.#onDisplaced(oldest, this.#origins.get(oldest) ?? originOf(oldest));
  }

  /** The handshake is over, well or badly. Tells who began it. */
  end(tls: TLSSocket): Origin {
    const socket = underneath(tls);
    if (!socket) return originOf(tls);
    this.#ended(socket);
    return this.#origins.get(socket) ?? originOf(tls);
  }

  #ended(socket: Socket): void {
    if (!this.#pending.delete(socket)) return;
    this.#underWay.less(this.#origins.get(socket)?.remoteAddress ?? "");
  }
}

/** Node has no public name for the socket under TLS, and a TLS socket that was destroyed has no address left. */
function underneath(tls: TLSSocket): Socket | undefined {
  return (tls as { readonly _parent?: Socket })._parent;
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
