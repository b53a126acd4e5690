/**
 * TCP sockets made inside a pod's network namespace and handed to Node as descriptors.
 *
 * Listeners: `server.listen({ fd }, LISTEN_BACKLOG)` (Node calls listen(2) again, and would lower the
 * backlog to 511, whatever its options say). Clients: `new net.Socket({ fd, allowHalfOpen: true }).connect({ host, port })`
 * with an address as host. None has SO_REUSEPORT: any process of the pod could join the group and take
 * connections past policy.
 */
import { closeDescriptor } from "./descriptor.ts";
import { checked, libc } from "./libc.ts";
import { checkMadeIn, inNamespace, type NetworkNamespace } from "./namespace.ts";
import {
  AF_INET,
  AF_INET6,
  SOCKET_ADDRESS_BYTES,
  type SocketAddress,
  writeSocketAddress,
} from "./socket-address.ts";

/** Packets with this mark are the node proxy's own and never redirected. The rules compare it under `/0xfff`. */
const PROXY_MARK = 0x539;
/** net.core.somaxconn of the namespace caps it (4096 by default since Linux 5.4). */
export const LISTEN_BACKLOG = 4096;

const SOCK_STREAM_NONBLOCK_CLOEXEC = 1 | 0o4000 | 0o2000000;
const SOL_IP = 0;
const SOL_SOCKET = 1;
const SOL_TCP = 6;
const SOL_IPV6 = 41;
const SO_REUSEADDR = 2;
const SO_ERROR = 4;
const SO_KEEPALIVE = 9;
const SO_MARK = 36;
const IP_TRANSPARENT = 19;
const IP_BIND_ADDRESS_NO_PORT = 24;
const IPV6_V6ONLY = 26;
const IPV6_TRANSPARENT = 75;
const TCP_KEEPIDLE = 4;
const TCP_KEEPINTVL = 5;
const TCP_INFO = 11;
const TCP_USER_TIMEOUT = 18;
const TCP_LISTEN = 10;

/** Of silence, before the kernel asks whether the peer is still there, and between two such questions. */
const ASK_AFTER_S = 20;
const ASK_EVERY_S = 5;
/** As long as a caller waits for the answer to a PING, and for the next PING (`tunnel/tunnel.ts`). */
const TUNNEL_PEER_GONE_MS = 30_000;

const value = Buffer.alloc(4);
const info = Buffer.alloc(152);
const infoLength = Buffer.alloc(4);
const address = Buffer.alloc(SOCKET_ADDRESS_BYTES);

export interface SocketPlace {
  readonly namespace: NetworkNamespace;
  readonly family: 4 | 6;
}

/** A listening socket on every address of one family. Throws `SysError` EADDRINUSE where the pod itself has the port. */
export function openListeningSocket({ namespace, family }: SocketPlace, port: number): number {
  return openIn(namespace, family, (fd) => {
    setOption(fd, SOL_SOCKET, SO_REUSEADDR);
    if (family === 6) setOption(fd, SOL_IPV6, IPV6_V6ONLY);
    const any = family === 4 ? "0.0.0.0" : "::";
    bindTo(fd, family, { address: any, port });
    checked(libc.listen(fd, LISTEN_BACKLOG), "listen");
  });
}

/**
 * A connection ends where its peer vanished without a word (a node without power, a network that is cut): after about a
 * minute where nothing was on its way, else by the kernel's own patience. Those of a listener inherit it.
 */
export function askWhetherPeerLives(fd: number): void {
  setOption(fd, SOL_TCP, TCP_KEEPIDLE, ASK_AFTER_S);
  setOption(fd, SOL_TCP, TCP_KEEPINTVL, ASK_EVERY_S);
  setOption(fd, SOL_SOCKET, SO_KEEPALIVE);
}

/**
 * The same within some thirty seconds, also with data on its way. For tunnels alone: it ends also whoever reads nothing
 * for so long, which applications may do and node proxies do not.
 */
export function endVanishedTunnels(listenerFd: number): void {
  askWhetherPeerLives(listenerFd);
  setOption(listenerFd, SOL_TCP, TCP_USER_TIMEOUT, TUNNEL_PEER_GONE_MS);
}

/** For tunnels and for passing through: made in the pod's namespace, with the mark, not bound. */
export function openOutboundSocket({ namespace, family }: SocketPlace): number {
  return openIn(namespace, family, (fd) => {
    setMark(fd);
    askWhetherPeerLives(fd);
  });
}

/**
 * For the connection to the application: bound to the caller's address, which is not one of ours.
 *
 * The caller's port is not kept: two callers' connections may arrive here with one and the same, and the
 * caller's own older connection may still hold it. The kernel chooses at connect(2), when it knows the
 * destination (IP_BIND_ADDRESS_NO_PORT), so each destination has the whole range of ports; a plain bind
 * to port 0 would share one range among all of them.
 */
export function openTransparentSocket(
  { namespace, family }: SocketPlace,
  sourceAddress: string,
): number {
  return openIn(namespace, family, (fd) => {
    setMark(fd);
    if (family === 4) setOption(fd, SOL_IP, IP_TRANSPARENT);
    else setOption(fd, SOL_IPV6, IPV6_TRANSPARENT);
    setOption(fd, SOL_IP, IP_BIND_ADDRESS_NO_PORT);
    bindTo(fd, family, { address: sourceAddress, port: 0 });
  });
}

/** Connections that wait in a listening socket's queue to be accepted; -1 where it listens no more. */
export function waitingConnections(fd: number): number {
  infoLength.writeUInt32LE(info.length, 0);
  checked(libc.getsockopt(fd, SOL_TCP, TCP_INFO, info, infoLength), "getsockopt tcp_info");
  // linux/tcp.h: state is the first byte; a listener counts its queue in tcpi_unacked.
  return info[0] === TCP_LISTEN ? info.readUInt32LE(24) : -1;
}

/** Of the connection's path, the shortest of late, as the kernels at both ends see it. NaN where it is not known. */
export function minRoundTripMs(fd: number): number {
  if (fd < 0) return Number.NaN;
  infoLength.writeUInt32LE(info.length, 0);
  if (libc.getsockopt(fd, SOL_TCP, TCP_INFO, info, infoLength) !== 0) return Number.NaN;
  // linux/tcp.h: tcpi_min_rtt, microseconds, since Linux 4.6; all ones before the first measurement.
  const microseconds =
    infoLength.readUInt32LE(0) < info.length ? 0xffff_ffff : info.readUInt32LE(148);
  return microseconds === 0xffff_ffff ? Number.NaN : microseconds / 1_000;
}

/** What the kernel holds against a connection, an errno, 0 for nothing. It is told once: end the socket. */
export function pendingError(fd: number): number {
  infoLength.writeUInt32LE(value.length, 0);
  checked(libc.getsockopt(fd, SOL_SOCKET, SO_ERROR, value, infoLength), "getsockopt error");
  return value.readInt32LE(0);
}

function openIn(namespace: NetworkNamespace, family: 4 | 6, prepare: (fd: number) => void): number {
  const domain = family === 4 ? AF_INET : AF_INET6;
  const fd = inNamespace(namespace.fd, () =>
    checked(libc.socket(domain, SOCK_STREAM_NONBLOCK_CLOEXEC, 0), "socket"),
  );
  // A socket stays in the namespace it was made in, so the rest happens outside the bracket.
  checkMadeIn(namespace, fd);
  try {
    prepare(fd);
    return fd;
  } catch (error) {
    closeDescriptor(fd);
    throw error;
  }
}

function setMark(fd: number): void {
  setOption(fd, SOL_SOCKET, SO_MARK, PROXY_MARK);
}

function bindTo(fd: number, family: 4 | 6, local: SocketAddress): void {
  checked(libc.bind(fd, address, writeSocketAddress(address, family, local)), "bind");
}

function setOption(fd: number, level: number, ...[name, to = 1]: [number, number?]): void {
  value.writeInt32LE(to, 0);
  checked(libc.setsockopt(fd, level, name, value, 4), `setsockopt ${level} ${name}`);
}
