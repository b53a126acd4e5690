/**
 * AF_UNIX SEQPACKET sockets, which Node cannot open: the ones that carry descriptors.
 *
 * SEQPACKET keeps messages whole and in order and tells when the other side is gone. All are
 * non-blocking and close-on-exec.
 */
import { closeDescriptor } from "./descriptor.ts";
import { checked, lastErrno, libc, SysError } from "./libc.ts";
import { AF_UNIX, SOCKET_ADDRESS_BYTES, writeUnixAddress } from "./socket-address.ts";

const SOCK_SEQPACKET = 5 | 0o4000 | 0o2000000;
const SOL_SOCKET = 1;
const SO_PEERCRED = 17;
const SO_SNDBUF = 7;
const BACKLOG = 16;
/** Room for the descriptors of all pods of a node while they are in flight; the kernel caps it at net.core.wmem_max. */
const SEND_BUFFER_BYTES = 4 << 20;

const address = Buffer.alloc(SOCKET_ADDRESS_BYTES);
const pair = Buffer.alloc(8);
const credentials = Buffer.alloc(12);
const length = Buffer.alloc(4);
const option = Buffer.alloc(4);

export function openSocketPair(): readonly [number, number] {
  checked(libc.socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), "socketpair");
  const ends = [pair.readInt32LE(0), pair.readInt32LE(4)] as const;
  for (const end of ends) widen(end);
  return ends;
}

/** The path must not exist. Who may connect is said by the rights of its directory. */
export function listenUnix(path: string): number {
  return opened((fd) => {
    checked(libc.bind(fd, address, writeUnixAddress(address, path)), `bind ${path}`);
    checked(libc.listen(fd, BACKLOG), "listen");
  });
}

export function connectUnix(path: string): number {
  return opened((fd) => {
    checked(libc.connect(fd, address, writeUnixAddress(address, path)), `connect ${path}`);
  });
}

/** The next connection that waits, `undefined` where none does. */
export function acceptUnix(listener: number): number | undefined {
  const fd = libc.accept4(listener, null, null, 0o4000 | 0o2000000);
  if (fd >= 0) return fd;
  const error = new SysError("accept4", lastErrno());
  if (error.code === "EAGAIN") return undefined;
  throw error;
}

/** Process id of the other side as the kernel noted it at connect(2): the peer cannot choose it. */
export function peerProcessId(fd: number): number {
  length.writeUInt32LE(credentials.length, 0);
  checked(libc.getsockopt(fd, SOL_SOCKET, SO_PEERCRED, credentials, length), "getsockopt peercred");
  return credentials.readInt32LE(0);
}

function opened(prepare: (fd: number) => void): number {
  const fd = checked(libc.socket(AF_UNIX, SOCK_SEQPACKET, 0), "socket");
  try {
    widen(fd);
    prepare(fd);
    return fd;
  } catch (error) {
    closeDescriptor(fd);
    throw error;
  }
}

function widen(fd: number): void {
  option.writeInt32LE(SEND_BUFFER_BYTES, 0);
  checked(libc.setsockopt(fd, SOL_SOCKET, SO_SNDBUF, option, 4), "setsockopt sndbuf");
}
