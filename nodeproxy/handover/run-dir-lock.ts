/**
 * Whose the run directory is: of two control processes on one node only one writes snapshot and keys.
 *
 * During an upgrade two pods share it: the second asks the first to hand over (`take-over.ts`), and has the lock at the
 * latest when the first has ended, also by a SIGKILL. The lock itself goes over, so that it is never free in between:
 * one that was owner before those two would take it.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { closeDescriptor } from "../sys/descriptor.ts";
import { tryLockFile } from "../sys/file-lock.ts";

export interface RunDirLock {
  /** Holds the lock, as each duplicate does, in whatever process. */
  readonly fd: number;
  /** Where the holder may be asked to hand over. */
  tellLine(path: string): void;
  release(): void;
}

/** The lock, or `undefined` where another process has it. */
export function tryLockRunDir(runDir: string): RunDirLock | undefined {
  mkdirSync(runDir, { recursive: true, mode: 0o700 });
  const path = lockPath(runDir);
  const fd = tryLockFile(path);
  return fd === undefined ? undefined : adoptLock(runDir, fd);
}

/** The descriptor, which holds the lock, is the lock's from here on. */
export function adoptLock(runDir: string, fd: number): RunDirLock {
  let isHeld = true;
  return {
    fd,
    tellLine: (line) => writeFileSync(lockPath(runDir), line, { mode: 0o600 }),
    release: () => {
      if (isHeld) closeDescriptor(fd);
      isHeld = false;
    },
  };
}

/** What the last holder told; "" where none has. Perhaps of one that is gone. */
export function holdersLinePath(runDir: string): string {
  return readFileSync(lockPath(runDir), "utf8");
}

function lockPath(runDir: string): string {
  return join(runDir, "lock");
}
