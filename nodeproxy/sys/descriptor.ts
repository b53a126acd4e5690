/**
 * Plain file descriptors: closing, duplicating, telling which network namespace one stands for.
 *
 * Every descriptor made here is close-on-exec, so no program that Weft starts inherits one by accident.
 */
import { fstatSync } from "node:fs";
import { checked, libc } from "./libc.ts";

const F_DUPFD_CLOEXEC = 1030;
const F_SETFD = 2;
const FD_CLOEXEC = 1;

/** Never throws: a descriptor that is already gone is closed. */
export function closeDescriptor(fd: number): void {
  libc.close(fd);
}

/** A second descriptor of the same open socket. `server.listen({ fd })` takes one over and closes it. */
export function duplicateDescriptor(fd: number): number {
  return checked(libc.fcntl(fd, F_DUPFD_CLOEXEC, 3), "fcntl");
}

/** For a descriptor that was inherited. */
export function closeOnExec(fd: number): void {
  checked(libc.fcntl(fd, F_SETFD, FD_CLOEXEC), "fcntl");
}

/** For the standard streams: Node marks them close-on-exec when it starts (uv_disable_stdio_inheritance). */
export function keepAcrossExec(fd: number): void {
  checked(libc.fcntl(fd, F_SETFD, 0), "fcntl");
}

/** Puts a descriptor at a fixed number, open in whatever program this process becomes. What was there is closed. */
export function placeDescriptor(fd: number, at: number): void {
  checked(libc.dup2(fd, at), "dup2");
}

/** The inode that names what a descriptor stands for; for a namespace, the number in `net:[…]`. */
export function inodeOf(fd: number): number {
  return fstatSync(fd).ino;
}
