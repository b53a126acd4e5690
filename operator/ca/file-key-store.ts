/**
 * The CA's key in `DIR/ca/`: the entries of `key-store.ts`; directory 0700, files 0600.
 *
 * Created by renaming a complete directory: a crash leaves all of it or nothing, and of two operators
 * that start at once one wins, since rename(2) refuses a target that is not empty. Replaced by two
 * renames: whoever finds only `.ca-before` between them puts it back.
 */
import { randomUUID } from "node:crypto";
import { chmod, mkdir, open, readFile, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { CaError } from "./ca-error.ts";
import {
  type CaMaterial,
  ENTRIES,
  entriesOf,
  isSameMaterial,
  isSecret,
  type KeyStore,
  materialOf,
} from "./key-store.ts";

export function createFileKeyStore(directory: string): KeyStore {
  const places = {
    directory,
    target: join(directory, "ca"),
    before: join(directory, ".ca-before"),
  };
  /** Replacements of this process happen one after the other; one operator uses the directory. */
  let turn: Promise<unknown> = Promise.resolve();
  return {
    place: `directory ${places.target}`,
    read: () => readMaterial(places),
    create: (material) => createMaterial(places, material),
    replace: (before, next) => {
      const replaced = turn.then(() => replaceMaterial(places, before, next));
      turn = replaced.catch(() => undefined);
      return replaced;
    },
  };
}

const MAX_READS = 20;

interface Places {
  readonly directory: string;
  readonly target: string;
  /** What `target` was while it is replaced. */
  readonly before: string;
}

/** Reads again where the directory was replaced meanwhile: halves of two CAs are none. */
async function readMaterial({ target, before }: Places): Promise<CaMaterial | undefined> {
  for (let attempt = 0; attempt < MAX_READS; attempt += 1) {
    const inode = await inodeOf(target);
    if (inode === undefined && !(await renameTo(before, target))) return undefined;
    const [result] = await Promise.allSettled([readEntries(target)]);
    if (inode !== (await inodeOf(target))) continue;
    if (result.status === "fulfilled") return result.value;
    throw result.reason;
  }
  throw new CaError(
    "ca_incomplete",
    `${target} is replaced all the time: does one operator use it?`,
  );
}

async function readEntries(target: string): Promise<CaMaterial> {
  const texts = new Map<string, string>();
  for (const entry of Object.values(ENTRIES)) {
    const text = await readEntry(join(target, entry), isSecret(entry));
    if (text !== undefined) texts.set(entry, text);
  }
  return materialOf({
    required(entry) {
      const text = texts.get(entry);
      if (text !== undefined) return text;
      throw new CaError(
        "ca_incomplete",
        `${join(target, entry)} is missing: put it there, or remove the directory and a new root is made`,
      );
    },
    optional: (entry) => texts.get(entry),
  });
}

async function readEntry(path: string, mustBeSecret: boolean): Promise<string | undefined> {
  try {
    const text = await readFile(path, "utf8");
    if (!mustBeSecret || ((await stat(path)).mode & 0o077) === 0) return text;
  } catch (error) {
    if (hasCode(error, "ENOENT")) return undefined;
    throw error;
  }
  throw new CaError("ca_key_readable", `${path} is open to others: chmod 600 ${path}`);
}

async function createMaterial(
  { directory, target }: Places,
  material: CaMaterial,
): Promise<"created" | "exists"> {
  const draft = await writeDraft(directory, material);
  try {
    const isMoved = await renameTo(draft, target);
    await syncDirectory(directory);
    return isMoved ? "created" : "exists";
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}

async function replaceMaterial(
  places: Places,
  expected: CaMaterial,
  next: CaMaterial,
): Promise<"replaced" | "changed"> {
  const { directory, target, before } = places;
  const draft = await writeDraft(directory, next);
  try {
    const stored = await readMaterial(places);
    if (!stored || !isSameMaterial(stored, expected)) return "changed";
    // Left over from a replacement that was complete but for this.
    await rm(before, { recursive: true, force: true });
    if (!(await renameTo(target, before))) return "changed";
    const isMoved = await renameTo(draft, target);
    await syncDirectory(directory);
    if (!isMoved) return "changed";
    await rm(before, { recursive: true, force: true });
    return "replaced";
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}

/** A directory beside the others that nobody reads yet. */
async function writeDraft(directory: string, material: CaMaterial): Promise<string> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const draft = join(directory, `.ca-${randomUUID()}`);
  await mkdir(draft, { mode: 0o700 });
  for (const [entry, text] of entriesOf(material)) await writeDurably(join(draft, entry), text);
  await chmod(draft, 0o700);
  await syncDirectory(draft);
  return draft;
}

/** `false` where there is nothing to rename, or the target is there already. */
async function renameTo(from: string, to: string): Promise<boolean> {
  try {
    await rename(from, to);
    return true;
  } catch (error) {
    if (["ENOENT", "ENOTEMPTY", "EEXIST"].some((code) => hasCode(error, code))) return false;
    throw error;
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

async function inodeOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).ino;
  } catch (error) {
    if (hasCode(error, "ENOENT")) return undefined;
    throw error;
  }
}

function hasCode(error: unknown, code: string): boolean {
  return Error.isError(error) && "code" in error && error.code === code;
}
