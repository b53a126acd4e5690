/**
 * The project's own image as an archive, built from deploy/Dockerfile by buildah: a change of the
 * sources rebuilds in seconds, no change not at all. Nothing is pulled: the base the Dockerfile names
 * is made by mmdebstrap from this machine's Debian mirror and given that name.
 */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { cacheDir, cached, hashOf, withLock } from "./build-cache.ts";
import { runCommand, tryCommand } from "./command.ts";

/** As the manifests in deploy/ name it. */
export const WEFT_IMAGE = "ghcr.io/weft-mesh/weft:dev";
const BASE_IMAGE = "docker.io/library/debian:trixie-slim";
const ROOT = join(import.meta.dirname, "..", "..");
const INPUTS = [
  "core",
  "cli",
  "operator",
  "nodeproxy",
  "package.json",
  "package-lock.json",
  "deploy/Dockerfile",
  "deploy/Dockerfile.dockerignore",
];

/** Path of the archive of the sources as they lie now. */
export async function buildWeftImage(): Promise<string> {
  const base = await buildBase();
  return cached(`weft-${await hashInputs()}.tar`, async (path) => {
    // One build at a time: they share the builder's layers.
    await withLock(join(cacheDir(), "buildah.lock"), async () => {
      await ensureBaseImage(base);
      const file = ["--file", join(ROOT, "deploy", "Dockerfile")];
      const ignore = ["--ignorefile", join(ROOT, "deploy", "Dockerfile.dockerignore")];
      const flags = ["--pull=never", "--layers", "--tag", WEFT_IMAGE];
      await buildah(["bud", ...flags, ...file, ...ignore, ROOT]);
      await buildah([
        "push",
        "--disable-compression",
        WEFT_IMAGE,
        `oci-archive:${path}:${WEFT_IMAGE}`,
      ]);
    });
  });
}

async function buildBase(): Promise<string> {
  return cached("debian-trixie.tar", async (path) => {
    // The unfinished path has another ending, so the format has to be said.
    await runCommand(["mmdebstrap", "--variant=minbase", "--format=tar", "trixie", path]);
  });
}

async function ensureBaseImage(archive: string): Promise<void> {
  const found = await tryCommand(buildahArgv(["inspect", "--type=image", BASE_IMAGE]), {
    env: ENV,
  });
  if (found.code === 0) {
    return;
  }
  const container = (await buildah(["from", "scratch"])).trim();
  await buildah(["add", "--quiet", container, archive, "/"]);
  await buildah(["config", "--cmd", "bash", container]);
  await buildah(["commit", "--quiet", "--rm", container, BASE_IMAGE]);
}

const ENV = { BUILDAH_ISOLATION: "chroot" };

async function buildah(args: readonly string[]): Promise<string> {
  return runCommand(buildahArgv(args), { env: ENV });
}

/** A store of our own: neither sees nor touches the images that are on this machine. */
function buildahArgv(args: readonly string[]): readonly string[] {
  const store = join(cacheDir(), "buildah");
  return ["buildah", "--root", store, "--runroot", `${store}-run`, ...args];
}

async function hashInputs(): Promise<string> {
  const files = await Promise.all(INPUTS.map(async (input) => listFiles(join(ROOT, input))));
  const parts = await Promise.all(
    files.flat().map(async (file) => [file.slice(ROOT.length), await readFile(file)] as const),
  );
  return hashOf(parts.flat());
}

async function listFiles(path: string): Promise<readonly string[]> {
  const entries = await readdir(path, { recursive: true, withFileTypes: true }).catch(() => []);
  if (entries.length === 0) {
    return [path].filter((file) => !file.endsWith("cli"));
  }
  return entries
    .filter((entry) => entry.isFile() && !entry.name.endsWith(".test.ts"))
    .map((entry) => join(entry.parentPath, entry.name))
    .toSorted();
}
