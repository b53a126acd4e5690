/**
 * Entering a pod's network namespace for the length of one synchronous piece of work.
 *
 * Inside the bracket only raw socket calls are allowed: the first use of libuv's pool, a new Worker or
 * any wait would leave a thread in the pod's namespace for good. It never decides whose namespace it is.
 */
import { openSync } from "node:fs";
import { abort } from "node:process";
import { closeDescriptor, inodeOf } from "./descriptor.ts";
import { checked, libc, SysError } from "./libc.ts";

const CLONE_NEWNET = 0x40000000;
const AF_INET = 2;
const SOCK_STREAM_CLOEXEC = 1 | 0o2000000;
const SOL_SOCKET = 1;
/** Linux 5.14. */
const SO_NETNS_COOKIE = 71;
/** Older kernels: a descriptor of the socket's namespace. linux/sockios.h. */
const SIOCGSKNS = 0x894c;

/** A network namespace this process holds open. `close` it with `closeDescriptor(fd)`. */
export interface NetworkNamespace {
  readonly fd: number;
  readonly inode: number;
  /** Halves of SO_NETNS_COOKIE, which the kernel never reuses; both 0 where the kernel has none. */
  readonly cookieLow: number;
  readonly cookieHigh: number;
}

// The thread's own namespace. The module is loaded once in each worker, before any bracket.
const ownFd = openSync("/proc/thread-self/ns/net", "r");
const ownInode = inodeOf(ownFd);

const cookie = Buffer.alloc(8);
const cookieLength = Buffer.alloc(4);

/** Inode of the namespace this process itself runs in. */
export function ownNamespaceInode(): number {
  return ownInode;
}

/** Takes over a descriptor of `/proc/PID/ns/net`, of a file below /run/netns, or one received. */
export function adoptNamespace(fd: number): NetworkNamespace {
  const inode = inodeOf(fd);
  const bare = { fd, inode, cookieLow: 0, cookieHigh: 0 };
  const probe = inNamespace(fd, openProbe);
  try {
    if (!readCookie(probe)) return bare;
    return { ...bare, cookieLow: cookie.readUInt32LE(0), cookieHigh: cookie.readUInt32LE(4) };
  } finally {
    closeDescriptor(probe);
  }
}

export function openNamespace(path: string): NetworkNamespace {
  return adoptNamespace(openSync(path, "r"));
}

/** Runs `work` inside the namespace. Aborts the process if the way back fails: everything after would happen in the pod. */
export function inNamespace<Result>(fd: number, work: () => Result): Result {
  checked(libc.setns(fd, CLONE_NEWNET), "setns");
  try {
    return work();
  } finally {
    if (libc.setns(ownFd, CLONE_NEWNET) !== 0) abort();
  }
}

/** Throws and closes the socket unless it was made in this namespace. Every socket made in a bracket goes through it. */
export function checkMadeIn(namespace: NetworkNamespace, fd: number): number {
  if (isMadeIn(namespace, fd)) return fd;
  closeDescriptor(fd);
  throw new Error(`a socket meant for network namespace ${namespace.inode} was made in another`);
}

function isMadeIn(namespace: NetworkNamespace, fd: number): boolean {
  if (namespace.cookieLow !== 0 || namespace.cookieHigh !== 0) {
    return (
      readCookie(fd) &&
      cookie.readUInt32LE(0) === namespace.cookieLow &&
      cookie.readUInt32LE(4) === namespace.cookieHigh
    );
  }
  const socketNamespace = checked(libc.ioctl(fd, SIOCGSKNS, 0), "ioctl SIOCGSKNS");
  try {
    return inodeOf(socketNamespace) === namespace.inode;
  } finally {
    closeDescriptor(socketNamespace);
  }
}

function openProbe(): number {
  return checked(libc.socket(AF_INET, SOCK_STREAM_CLOEXEC, 0), "socket");
}

/** False where the kernel is too old to tell. */
function readCookie(fd: number): boolean {
  cookieLength.writeUInt32LE(8, 0);
  try {
    checked(libc.getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, cookie, cookieLength), "getsockopt");
    return true;
  } catch (error) {
    if (error instanceof SysError && error.code === "ENOPROTOOPT") return false;
    throw error;
  }
}
