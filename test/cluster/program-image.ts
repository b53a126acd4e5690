/**
 * An image of programs that need nothing beside them: one layer, written as an OCI archive without a builder's
 * help (https://github.com/opencontainers/image-spec, image-layout).
 */
import { createHash } from "node:crypto";
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { arch, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { runCommand } from "./command.ts";

export interface ProgramImage {
  /** The image's full name, as pods name it. */
  readonly name: string;
  /** Where a file goes in the image, absolute, and the file. */
  readonly files: Readonly<Record<string, string>>;
  readonly entrypoint: readonly string[];
  /** Numeric; root where absent. */
  readonly user?: string;
}

/** Writes the archive to `path`. */
export async function writeProgramImage(path: string, image: ProgramImage): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), "weft-image-"));
  try {
    await writeArchive(path, dir, image);
  } finally {
    await rm(dir, { recursive: true });
  }
}

async function writeArchive(path: string, dir: string, image: ProgramImage): Promise<void> {
  const layout = join(dir, "image");
  await mkdir(join(layout, "blobs", "sha256"), { recursive: true });
  const layer = await writeBlob(layout, "layer.v1.tar", await packLayer(dir, image));
  const config = await writeBlob(layout, "config.v1+json", {
    architecture: arch() === "x64" ? "amd64" : arch(),
    os: "linux",
    config: {
      Entrypoint: image.entrypoint,
      Env: ["PATH=/usr/local/bin:/usr/bin:/bin"],
      ...(image.user === undefined ? {} : { User: image.user }),
    },
    rootfs: { type: "layers", diff_ids: [layer.digest] },
  });
  const manifest = await writeBlob(layout, "manifest.v1+json", {
    schemaVersion: 2,
    mediaType: "application/vnd.oci.image.manifest.v1+json",
    config,
    layers: [layer],
  });
  const named = { ...manifest, annotations: { "io.containerd.image.name": image.name } };
  const index = { schemaVersion: 2, manifests: [named] };
  await writeFile(join(layout, "index.json"), JSON.stringify(index));
  await writeFile(join(layout, "oci-layout"), JSON.stringify({ imageLayoutVersion: "1.0.0" }));
  await runCommand(["tar", "-C", layout, "-cf", path, "oci-layout", "index.json", "blobs"]);
}

async function packLayer(dir: string, { files }: ProgramImage): Promise<Buffer> {
  const root = join(dir, "root");
  for (const [inside, file] of Object.entries(files)) {
    await mkdir(dirname(join(root, inside)), { recursive: true });
    await cp(file, join(root, inside));
  }
  const layer = join(dir, "layer.tar");
  await runCommand(["tar", "-C", root, "--owner=0", "--group=0", "-cf", layer, "."]);
  return readFile(layer);
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
