/**
 * Where `promtool` is: on the path, or taken out of Debian's package `prometheus` without installing it,
 * since that would start a Prometheus on the machine.
 */
import { mkdtemp, rename, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { cached } from "./cluster/build-cache.ts";
import { runCommand, tryCommand } from "./cluster/command.ts";

/** Rejects where there is none and Debian's package cannot be had; the message says which. */
export async function findPromtool(): Promise<string> {
  if (await isOnPath("promtool")) return "promtool";
  if (!(await isOnPath("apt-get"))) throw new Error("no promtool on the path: install Prometheus");
  return cached("promtool", takeFromDebian);
}

async function isOnPath(program: string): Promise<boolean> {
  return (await tryCommand(["sh", "-c", `command -v ${program}`])).code === 0;
}

async function takeFromDebian(path: string): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "weft-promtool-"));
  try {
    await download(folder);
    await runCommand(["sh", "-c", "dpkg-deb -x prometheus_*.deb ."], { cwd: folder });
    await runCommand(["cp", join(folder, "usr/bin/promtool"), `${path}.new`]);
    await rename(`${path}.new`, path);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** A machine may never have asked which packages there are. */
async function download(folder: string): Promise<void> {
  const command = ["apt-get", "download", "prometheus"];
  if ((await tryCommand(command, { cwd: folder })).code === 0) return;
  await tryCommand(["apt-get", "update"]);
  await runCommand(command, { cwd: folder });
}
