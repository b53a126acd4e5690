/**
 * Builds the cluster's programs from the Go modules in hyperkube/: all of Kubernetes and etcd in
 * one binary (five minutes once, then cached), and the pause program.
 */
import { readFile } from "node:fs/promises";
import { arch } from "node:os";
import { join } from "node:path";
import { cached, hashOf } from "./build-cache.ts";
import { runCommand } from "./command.ts";
import { findGo } from "./find-go.ts";

const SOURCE = join(import.meta.dirname, "hyperkube");
const KUBERNETES = "1.35.4";

export interface ClusterPrograms {
  readonly hyperkube: string;
  readonly pause: string;
}

/** `WEFT_HYPERKUBE` names a binary built elsewhere; it is then taken as it is. */
export async function buildPrograms(): Promise<ClusterPrograms> {
  return {
    hyperkube: process.env["WEFT_HYPERKUBE"] ?? (await buildHyperkube()),
    pause: await buildPause(),
  };
}

async function buildHyperkube(): Promise<string> {
  const inputs = await Promise.all(
    ["go.mod", "go.sum", "main.go"].map(async (file) => readFile(join(SOURCE, file))),
  );
  return cached(`hyperkube-${hashOf([arch(), KUBERNETES, ...inputs])}`, async (path) => {
    const [major, minor] = KUBERNETES.split(".");
    const version = "k8s.io/component-base/version";
    const stamps = [`gitVersion=v${KUBERNETES}`, `gitMajor=${major}`, `gitMinor=${minor}`];
    const flags = ["-s", "-w", ...stamps.map((stamp) => `-X ${version}.${stamp}`)].join(" ");
    await goBuild(["-ldflags", flags, "-o", path, "."], SOURCE);
  });
}

async function buildPause(): Promise<string> {
  return buildGoProgram("pause", join(SOURCE, "pause"));
}

/** The program in `main.go` of that folder, which imports the standard library only. */
export async function buildGoProgram(name: string, source: string): Promise<string> {
  const inputs = await readFile(join(source, "main.go"));
  return cached(`${name}-${hashOf([arch(), inputs])}`, async (path) => {
    await goBuild(["-ldflags", "-s -w", "-o", path, "main.go"], source);
  });
}

async function goBuild(args: readonly string[], cwd: string): Promise<void> {
  const go = await findGo();
  await runCommand([go, "build", "-trimpath", ...args], { cwd, env: { CGO_ENABLED: "0" } });
}
