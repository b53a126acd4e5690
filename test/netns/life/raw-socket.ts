/**
 * A TCP socket as an application in C has it: each call at once, each answer as the kernel gave it.
 *
 * Node's own sockets read ahead, end by themselves and tell errors late; what an application may see is hidden there.
 */
import koffi from "koffi";
import { closeDescriptor } from "../../../nodeproxy/sys/descriptor.ts";
import { checked, libc, SysError } from "../../../nodeproxy/sys/libc.ts";
import { inNamespace, type NetworkNamespace } from "../../../nodeproxy/sys/namespace.ts";
import {
  AF_INET,
  SOCKET_ADDRESS_BYTES,
  writeSocketAddress,
} from "../../../nodeproxy/sys/socket-address.ts";

const library = koffi.load(null);
type Transfer = (
  ...args: readonly [fd: number, bytes: Buffer, length: number, flags: number]
) => number;
const recv = library.func("int64_t recv(int fd, void *bytes, size_t n, int flags)") as Transfer;
const send = library.func(
  "int64_t send(int fd, const void *bytes, size_t n, int flags)",
) as Transfer;
const shutdown = library.func("int shutdown(int fd, int how)") as (
  fd: number,
  how: number,
) => number;
const poll = library.func("int poll(void *fds, uint64_t n, int timeout)") as (
  fds: Buffer,
  n: number,
  timeoutMs: number,
) => number;

const SOCK_STREAM_NONBLOCK_CLOEXEC = 1 | 0o4000 | 0o2000000;
const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const SO_RCVBUF = 8;
const SO_LINGER = 13;
const SHUT_WR = 1;
const MSG_PEEK = 2;
const MSG_NOSIGNAL = 0x4000;
const POLLOUT = 4;
const POLLERR = 8;
const POLLHUP = 16;
const MAX_PEEK = 1 << 20;

/** Octets read, `fin`, the kernel's error, or `nothing` there now. */
export type Seen = number | string;

const scratch = Buffer.alloc(MAX_PEEK);

/** Where an application lives. */
export interface Place {
  readonly namespace: NetworkNamespace;
}

/** A connecting socket of the pod; `nothing` is wrong with it until `failure` says so. */
export function connectRaw(pod: Place, host: string, port: number): RawSocket {
  const fd = newSocket(pod);
  const address = Buffer.alloc(SOCKET_ADDRESS_BYTES);
  // EINPROGRESS: told by `isConnected` and by what is read.
  libc.connect(fd, address, writeSocketAddress(address, 4, { address: host, port }));
  return new RawSocket(fd);
}

interface Listening {
  /** What accepted sockets hold unread; the kernel doubles it. */
  readonly receiveBytes?: number;
  /** Connections that wait to be accepted, less one. */
  readonly backlog?: number;
}

/** Listens on every address. */
export function listenRaw(
  pod: Place,
  port: number,
  { receiveBytes = 0, backlog = 128 }: Listening = {},
): RawListener {
  const fd = newSocket(pod);
  setNumber(fd, SO_REUSEADDR, 1);
  if (receiveBytes > 0) setNumber(fd, SO_RCVBUF, receiveBytes);
  const address = Buffer.alloc(SOCKET_ADDRESS_BYTES);
  const length = writeSocketAddress(address, 4, { address: "0.0.0.0", port });
  checked(libc.bind(fd, address, length), "bind");
  checked(libc.listen(fd, backlog), "listen");
  return new RawListener(fd);
}

function newSocket(pod: Place): number {
  return inNamespace(pod.namespace.fd, () =>
    checked(libc.socket(AF_INET, SOCK_STREAM_NONBLOCK_CLOEXEC, 0), "socket"),
  );
}

function setNumber(fd: number, name: number, to: number): void {
  const value = Buffer.alloc(4);
  value.writeInt32LE(to);
  checked(libc.setsockopt(fd, SOL_SOCKET, name, value, 4), "setsockopt");
}

export class RawListener {
  readonly #fd: number;

  constructor(fd: number) {
    this.#fd = fd;
  }

  /** `undefined` where nobody waits. */
  accept(): RawSocket | undefined {
    const fd = libc.accept4(this.#fd, null, null, 0o4000 | 0o2000000);
    return fd < 0 ? undefined : new RawSocket(fd);
  }

  close(): void {
    closeDescriptor(this.#fd);
  }
}

export class RawSocket {
  readonly #fd: number;
  #isOpen = true;

  constructor(fd: number) {
    this.#fd = fd;
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  get isConnected(): boolean {
    const events = this.#poll(POLLOUT);
    return (events & POLLOUT) !== 0 && (events & (POLLERR | POLLHUP)) === 0;
  }

  /** The connection is dead, which poll(2) tells an application that neither reads nor writes. */
  get isDead(): boolean {
    return (this.#poll(0) & POLLERR) !== 0;
  }

  /** Reads what is there, once. */
  read(limit = MAX_PEEK): Seen {
    return answered(() => recv(this.#fd, scratch, limit, 0));
  }

  /** Octets that have arrived and are not read. */
  get unread(): number {
    const seen = answered(() => recv(this.#fd, scratch, MAX_PEEK, MSG_PEEK));
    return typeof seen === "number" ? seen : 0;
  }

  /** Octets that the kernel took; `nothing` where it has no room. */
  write(octets: number): Seen {
    const bytes = Buffer.alloc(octets, "weft");
    return answered(() => send(this.#fd, bytes, octets, MSG_NOSIGNAL));
  }

  /** FIN behind what was written. */
  end(): void {
    shutdown(this.#fd, SHUT_WR);
  }

  /** What the kernel makes of it: FIN, or RST where something was not read. */
  close(): void {
    if (this.#isOpen) closeDescriptor(this.#fd);
    this.#isOpen = false;
  }

  /** RST. */
  reset(): void {
    const linger = Buffer.alloc(8);
    linger.writeInt32LE(1, 0);
    if (this.#isOpen) libc.setsockopt(this.#fd, SOL_SOCKET, SO_LINGER, linger, 8);
    this.close();
  }

  #poll(events: number): number {
    const asked = Buffer.alloc(8);
    asked.writeInt32LE(this.#fd, 0);
    asked.writeInt16LE(events, 4);
    poll(asked, 1, 0);
    return asked.readInt16LE(6);
  }
}

function answered(call: () => number): Seen {
  try {
    return checked(call(), "socket") || "fin";
  } catch (error) {
    if (!(error instanceof SysError)) throw error;
    return error.code === "EAGAIN" ? "nothing" : error.code;
  }
}
