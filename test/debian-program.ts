/**
 * Where a program is: on the path, or taken out of Debian's packages without installing them, since some of these
 * would start what they bring on the machine.
 */
import { mkdtemp, rename, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { cached } from "./cluster/build-cache.ts";
import { runCommand, tryCommand } from "./cluster/command.ts";
import { isOnPath, unpackDebian } from "./debian-packages.ts";

export interface DebianProgram {
  readonly name: string;
  /** The package that brings it, by Debian's name. */
  readonly from: string;
  /** Where it lies in the package. */
  readonly path: string;
}

/** Rejects where there is none and Debian's package cannot be had; the message says which. */
export async function findDebianProgram(program: DebianProgram): Promise<string> {
  const { name, from } = program;
  const found = await tryCommand(["sh", "-c", `PATH=$PATH:/usr/sbin command -v ${name}`]);
  if (found.code === 0) return found.stdout.trim();
  if (!(await isOnPath("apt-get"))) {
    throw new Error(`no ${name} on the path: install what Debian calls ${from}`);
  }
  return cached(name, (path) => takeFromDebian(program, path));
}

async function takeFromDebian({ name, from, path }: DebianProgram, to: string): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), `weft-${name}-`));
  try {
    await unpackDebian([from], folder);
    await runCommand(["cp", join(folder, path), `${to}.new`]);
    await rename(`${to}.new`, to);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
