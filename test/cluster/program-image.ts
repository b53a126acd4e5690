/**
 * The image of every pod's sandbox: one layer with one static program, written as an OCI archive
 * without a builder's help (https://github.com/opencontainers/image-spec, image-layout).
 */
import { createHash } from "node:crypto";
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { arch, tmpdir } from "node:os";
import { basename, join } from "node:path";
import { cached } from "./build-cache.ts";
import { PAUSE_IMAGE } from "./cluster-node.ts";
import { runCommand } from "./command.ts";

/** Path of the archive, cached beside the program it is made from. */
export async function createPauseImage(pause: string): Promise<string> {
  return cached(`${basename(pause)}.tar`, async (path) => {
    const dir = await mkdtemp(join(tmpdir(), "weft-pause-"));
    try {
      await writeImage(pause, dir, path);
    } finally {
      await rm(dir, { recursive: true });
    }
  });
}

async function writeImage(pause: string, dir: string, path: string): Promise<void> {
  const layerFile = join(dir, "layer.tar");
  await mkdir(join(dir, "root"));
  await cp(pause, join(dir, "root", "pause"));
  await runCommand(["tar", "-C", join(dir, "root"), "-cf", layerFile, "pause"]);

  const image = join(dir, "image");
  await mkdir(join(image, "blobs", "sha256"), { recursive: true });
  const layer = await writeBlob(image, "layer.v1.tar", await readFile(layerFile));
  const config = await writeBlob(image, "config.v1+json", {
    architecture: arch() === "x64" ? "amd64" : arch(),
    os: "linux",
    config: { Entrypoint: ["/pause"] },
    rootfs: { type: "layers", diff_ids: [layer.digest] },
  });
  const manifest = await writeBlob(image, "manifest.v1+json", {
    schemaVersion: 2,
    mediaType: "application/vnd.oci.image.manifest.v1+json",
    config,
    layers: [layer],
  });
  const named = { ...manifest, annotations: { "io.containerd.image.name": PAUSE_IMAGE } };
  const index = { schemaVersion: 2, manifests: [named] };
  await writeFile(join(image, "index.json"), JSON.stringify(index));
  await writeFile(join(image, "oci-layout"), JSON.stringify({ imageLayoutVersion: "1.0.0" }));
  await runCommand(["tar", "-C", image, "-cf", path, "oci-layout", "index.json", "blobs"]);
}

interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

async function writeBlob(
  image: string,
  kind: string,
  content: Buffer | object,
): Promise<Descriptor> {
  const bytes = Buffer.isBuffer(content) ? content : Buffer.from(JSON.stringify(content));
  const hash = createHash("sha256").update(bytes).digest("hex");
  await writeFile(join(image, "blobs", "sha256", hash), bytes);
  return {
    mediaType: `application/vnd.oci.image.${kind}`,
    digest: `sha256:${hash}`,
    size: bytes.length,
  };
}
