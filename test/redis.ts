/** How `redis-server` is run: from the path, or out of Debian's packages. */
import { globSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { cached } from "./cluster/build-cache.ts";
import { isOnPath, unpackDebian } from "./debian-packages.ts";

/** With the libraries that a small Debian lacks. */
const PACKAGES = ["redis-server", "redis-tools", "libjemalloc2", "liblzf1", "libatomic1"];

export interface RedisProgram {
  readonly command: string;
  readonly env: Readonly<Record<string, string>>;
}

/** Rejects where there is none and Debian's packages cannot be had. */
export async function findRedis(): Promise<RedisProgram> {
  if (await isOnPath("redis-server")) return { command: "redis-server", env: {} };
  if (!(await isOnPath("apt-get"))) throw new Error("no redis-server on the path: install Redis");
  const folder = await cached("redis", async (path) => {
    await mkdir(path);
    await unpackDebian(PACKAGES, path);
  });
  const [library = ""] = globSync("usr/lib/*/liblzf.so.1", { cwd: folder });
  const env = { LD_LIBRARY_PATH: join(folder, dirname(library)) };
  return { command: join(folder, "usr/bin/redis-server"), env };
}
