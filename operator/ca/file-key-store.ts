/**
 * The CA's key in `DIR/ca/`: `tls.crt`, `tls.key`, `ca.crt`, directory 0700, files 0600.
 *
 * Created by renaming a complete directory: a crash leaves all of it or nothing, and of two operators
 * that start at once one wins, since rename(2) refuses a target that is not empty.
 */
import { randomUUID } from "node:crypto";
import { chmod, mkdir, open, readFile, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { CaError } from "./ca-error.ts";
import { type CaMaterial, ENTRIES, type KeyStore } from "./key-store.ts";

export function createFileKeyStore(directory: string): KeyStore {
  const target = join(directory, "ca");
  return {
    place: `directory ${target}`,
    read: () => readMaterial(target),
    create: (material) => createMaterial(directory, target, material),
  };
}

async function readMaterial(target: string): Promise<CaMaterial | undefined> {
  if (!(await exists(target))) return undefined;
  const keyPath = join(target, ENTRIES.key);
  const keyPem = await readEntry(keyPath);
  const { mode } = await stat(keyPath);
  if ((mode & 0o077) !== 0) {
    throw new CaError("ca_key_readable", `${keyPath} is open to others: chmod 600 ${keyPath}`);
  }
  return {
    certificatesPem: await readEntry(join(target, ENTRIES.certificates)),
    keyPem,
    rootsPem: await readEntry(join(target, ENTRIES.roots)),
  };
}

async function readEntry(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (!hasCode(error, "ENOENT")) throw error;
    throw new CaError(
      "ca_incomplete",
      `${path} is missing: put it there, or remove the directory and a new root is made`,
      { cause: error },
    );
  }
}

async function createMaterial(
  directory: string,
  target: string,
  material: CaMaterial,
): Promise<"created" | "exists"> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const draft = join(directory, `.ca-${randomUUID()}`);
  await mkdir(draft, { mode: 0o700 });
  try {
    await writeDurably(join(draft, ENTRIES.certificates), material.certificatesPem);
    await writeDurably(join(draft, ENTRIES.key), material.keyPem);
    await writeDurably(join(draft, ENTRIES.roots), material.rootsPem);
    await chmod(draft, 0o700);
    await syncDirectory(draft);
    await rename(draft, target);
    await syncDirectory(directory);
    return "created";
  } catch (error) {
    if (!hasCode(error, "ENOTEMPTY") && !hasCode(error, "EEXIST")) throw error;
    return "exists";
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}

async function writeDurably(path: string, text: string): Promise<void> {
  await using file = await open(path, "wx", 0o600);
  await file.writeFile(text);
  await file.sync();
}

async function syncDirectory(path: string): Promise<void> {
  await using directory = await open(path, "r");
  await directory.sync();
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if (hasCode(error, "ENOENT")) return false;
    throw error;
  }
}

function hasCode(error: unknown, code: string): boolean {
  return Error.isError(error) && "code" in error && error.code === code;
}
