/**
 * What is expensive to build and the same for every checkout (Kubernetes, base image) is kept in
 * `${WEFT_CACHE:-~/.cache/weft}`, named by the hash of what it was made from. Two processes that
 * want the same thing do not build it twice: the second waits for the first.
 */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

export function cacheDir(): string {
  return process.env["WEFT_CACHE"] ?? join(homedir(), ".cache", "weft");
}

/** Sixteen hexadecimal digits that change with any of the given texts or files' contents. */
export function hashOf(parts: readonly (string | Uint8Array)[]): string {
  const hash = createHash("sha256");
  for (const part of parts) {
    hash.update(`${part.length}:`).update(part);
  }
  return hash.digest("hex").slice(0, 16);
}

/**
 * The path of the cached file `name`; `build` makes it at the path it is given, where it is missing.
 * A build that fails leaves nothing behind.
 */
export async function cached(
  name: string,
  build: (path: string) => Promise<void>,
): Promise<string> {
  const path = join(cacheDir(), name);
  if (existsSync(path)) {
    return path;
  }
  await mkdir(cacheDir(), { recursive: true });
  await withLock(`${path}.lock`, async () => {
    if (!existsSync(path)) {
      const unfinished = `${path}.unfinished`;
      await rm(unfinished, { recursive: true, force: true });
      await build(unfinished);
      await rename(unfinished, path);
    }
  });
  return path;
}

/** Runs `work` while no other process holds the lock; the lock of a dead process does not count. */
export async function withLock<T>(path: string, work: () => Promise<T>): Promise<T> {
  while (!(await takeLock(path))) {
    await delay(200);
  }
  try {
    return await work();
  } finally {
    await rm(path, { force: true });
  }
}

async function takeLock(path: string): Promise<boolean> {
  try {
    await writeFile(path, `${process.pid}`, { flag: "wx" });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") {
      throw error;
    }
  }
  const holder = await readFile(path, "utf8").catch(() => "");
  // Empty: the holder has made the file and not yet written its pid.
  if (holder !== "" && !existsSync(`/proc/${holder}`)) {
    await rm(path, { force: true });
  }
  return false;
}
