/**
 * Whose the run directory is: of two control processes on one node only one writes snapshot and keys.
 *
 * During an upgrade two pods share it; the second waits until the first has ended, also by a SIGKILL.
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { closeDescriptor } from "./sys/descriptor.ts";
import { tryLockFile } from "./sys/file-lock.ts";

/** flock(2) tells nobody when it gets free, and the call that waits would stop the event loop. */
const RETRY_MS = 50;

export interface RunDirLock {
  release(): void;
}

export interface RunDirWait {
  /** Called once, where another process holds the directory. */
  readonly onWait: () => void;
  readonly signal: AbortSignal;
}

/** Resolves once the directory is this process's alone. Rejects with the signal's reason. */
export async function lockRunDir(
  runDir: string,
  { onWait, signal }: RunDirWait,
): Promise<RunDirLock> {
  mkdirSync(runDir, { recursive: true, mode: 0o700 });
  const path = join(runDir, "lock");
  let fd = tryLockFile(path);
  if (fd === undefined) onWait();
  while (fd === undefined) {
    await delay(RETRY_MS, undefined, { signal });
    fd = tryLockFile(path);
  }
  const held = fd;
  return { release: () => closeDescriptor(held) };
}
