/**
 * A lock on a file that ends with its process, however that ends: flock(2).
 *
 * Never blocks. Nothing in the file says who holds it, so nothing in it can be stale.
 */
import { openSync } from "node:fs";
import { closeDescriptor } from "./descriptor.ts";
import { checked, libc, SysError } from "./libc.ts";

const LOCK_EX_NB = 2 | 4;

/** A descriptor that holds the lock until it is closed; `undefined` where another process holds it. */
export function tryLockFile(path: string): number | undefined {
  // Node opens close-on-exec: a program started meanwhile does not hold the lock on.
  const fd = openSync(path, "a", 0o600);
  try {
    checked(libc.flock(fd, LOCK_EX_NB), `flock ${path}`);
    return fd;
  } catch (error) {
    closeDescriptor(fd);
    // flock(2) calls it EWOULDBLOCK, which is the same number.
    if (error instanceof SysError && error.code === "EAGAIN") return undefined;
    throw error;
  }
}
