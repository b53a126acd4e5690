/**
 * The C library's functions that Weft calls by FFI, with their types, and the error they fail with.
 *
 * All calls are synchronous: an asynchronous koffi call would run on a libuv thread, which may not be
 * in the network namespace that the caller entered. Layouts are those of 64-bit little-endian Linux.
 */
import { constants } from "node:os";
import koffi from "koffi";

// The program's own symbols: Node is linked to the C library, so no file name has to be guessed.
const library = koffi.load(null);

export const libc = {
  socket: library.func("int socket(int domain, int type, int protocol)") as (
    domain: number,
    type: number,
    protocol: number,
  ) => number,
  bind: library.func("int bind(int fd, const void *address, uint32_t length)") as AddressCall,
  connect: library.func("int connect(int fd, const void *address, uint32_t length)") as AddressCall,
  listen: library.func("int listen(int fd, int backlog)") as (
    fd: number,
    backlog: number,
  ) => number,
  accept4: library.func("int accept4(int fd, void *address, void *length, int flags)") as (
    ...args: readonly [fd: number, address: null, length: null, flags: number]
  ) => number,
  setsockopt: library.func(
    "int setsockopt(int fd, int level, int name, const void *value, uint32_t length)",
  ) as (
    ...args: readonly [fd: number, level: number, name: number, value: Buffer, length: number]
  ) => number,
  getsockopt: library.func(
    "int getsockopt(int fd, int level, int name, void *value, void *length)",
  ) as (
    ...args: readonly [fd: number, level: number, name: number, value: Buffer, length: Buffer]
  ) => number,
  setns: library.func("int setns(int fd, int type)") as (fd: number, type: number) => number,
  close: library.func("int close(int fd)") as (fd: number) => number,
  fcntl: library.func("int fcntl(int fd, int command, int argument)") as (
    fd: number,
    command: number,
    argument: number,
  ) => number,
  flock: library.func("int flock(int fd, int operation)") as (
    fd: number,
    operation: number,
  ) => number,
  dup2: library.func("int dup2(int fd, int target)") as (fd: number, target: number) => number,
  ioctl: library.func("int ioctl(int fd, unsigned long request, int argument)") as (
    fd: number,
    request: number,
    argument: number,
  ) => number,
  socketpair: library.func("int socketpair(int domain, int type, int protocol, void *pair)") as (
    ...args: readonly [domain: number, type: number, protocol: number, pair: Buffer]
  ) => number,
  sendmsg: library.func("int64_t sendmsg(int fd, const void *header, int flags)") as MessageCall,
  recvmsg: library.func("int64_t recvmsg(int fd, void *header, int flags)") as MessageCall,
  execve: library.func(
    "int execve(const char *path, const char **arguments, const char **environment)",
  ) as (
    path: string,
    args: readonly (string | null)[],
    environment: readonly (string | null)[],
  ) => number,
};

type AddressCall = (fd: number, address: Buffer, length: number) => number;
type MessageCall = (fd: number, header: Buffer, flags: number) => number;

/** A system call failed. `code` is the symbolic errno, `EADDRINUSE` for example. */
export class SysError extends Error {
  readonly call: string;
  readonly code: string;

  constructor(call: string, errno: number) {
    const code = ERRNO_NAMES.get(errno) ?? `errno ${errno}`;
    super(`${call}: ${code}`);
    this.name = "SysError";
    this.call = call;
    this.code = code;
  }
}

/** Of two names for one number (EAGAIN, EWOULDBLOCK) the first, which the manual pages lead with. */
const ERRNO_NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(constants.errno)
    .toReversed()
    .map(([name, value]) => [value, name]),
);

/** Passes a result on, or throws what errno says where it is negative. */
export function checked(result: number, call: string): number {
  if (result < 0) throw new SysError(call, koffi.errno());
  return result;
}

/** The errno of the call before. Read it at once: any other call overwrites it. */
export function lastErrno(): number {
  return koffi.errno();
}

/** Where a buffer lies in memory, for structures that point to it. The caller keeps the buffer alive. */
export function addressOf(buffer: Buffer): bigint {
  return koffi.address(buffer);
}
