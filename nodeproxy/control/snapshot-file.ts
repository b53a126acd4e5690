/**
 * How the node proxy's files on disk look and how they are written: a line that names kind and format,
 * a SHA-256 of the rest, the rest. Written beside, synced and renamed, so a reader sees old or new.
 */
import { createHash } from "node:crypto";
import { open, readFile, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";

export type ReadFile =
  | { readonly kind: "read"; readonly content: Uint8Array }
  /** There is none: the node has booted, or the proxy never ran. */
  | { readonly kind: "absent" }
  /** Not used, whatever it holds. */
  | { readonly kind: "unusable"; readonly reason: FileDefect };

export type FileDefect = "other_format" | "truncated" | "corrupt" | "unreadable";

const HASH_BYTES = 32;

/** `format` is one line, for instance `weft-snapshot 1`: another one is never read. */
export async function readChecked(path: string, format: string): Promise<ReadFile> {
  let whole: Buffer;
  try {
    whole = await readFile(path);
  } catch (error) {
    const isAbsent = Error.isError(error) && "code" in error && error.code === "ENOENT";
    return isAbsent ? { kind: "absent" } : { kind: "unusable", reason: "unreadable" };
  }
  const header = Buffer.from(`${format}\n`);
  if (!whole.subarray(0, header.length).equals(header)) {
    return { kind: "unusable", reason: "other_format" };
  }
  const hash = whole.subarray(header.length, header.length + HASH_BYTES);
  if (hash.length < HASH_BYTES) return { kind: "unusable", reason: "truncated" };
  const content = whole.subarray(header.length + HASH_BYTES);
  if (!sha256(content).equals(hash)) return { kind: "unusable", reason: "corrupt" };
  return { kind: "read", content };
}

/** Readable by root alone (0600), whatever the umask. */
export async function writeChecked(
  path: string,
  format: string,
  content: Uint8Array,
): Promise<void> {
  const beside = `${path}.${process.pid}.new`;
  // A crash may have left one of an earlier process with this id.
  await rm(beside, { force: true });
  const file = await open(beside, "wx", 0o600);
  try {
    await file.writeFile(Buffer.concat([Buffer.from(`${format}\n`), sha256(content), content]));
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(beside, path);
  const directory = await open(dirname(path), "r");
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

function sha256(content: Uint8Array): Buffer {
  return createHash("sha256").update(content).digest();
}
