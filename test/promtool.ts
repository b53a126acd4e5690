/** Where `promtool` is: on the path, or taken out of Debian's package `prometheus`. */
import { mkdtemp, rename, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { cached } from "./cluster/build-cache.ts";
import { runCommand } from "./cluster/command.ts";
import { isOnPath, unpackDebian } from "./debian-packages.ts";

/** Rejects where there is none and Debian's package cannot be had; the message says which. */
export async function findPromtool(): Promise<string> {
  if (await isOnPath("promtool")) return "promtool";
  if (!(await isOnPath("apt-get"))) throw new Error("no promtool on the path: install Prometheus");
  return cached("promtool", takeFromDebian);
}

async function takeFromDebian(path: string): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "weft-promtool-"));
  try {
    await unpackDebian(["prometheus"], folder);
    await runCommand(["cp", join(folder, "usr/bin/promtool"), `${path}.new`]);
    await rename(`${path}.new`, path);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
