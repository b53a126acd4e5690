/**
 * What the node proxy keeps in `/run/weft` for its own restart: the resources it holds and, in a file
 * of its own, the leaves with their keys. Root's alone; empty after a reboot, since it is a tmpfs.
 *
 * Read back fully checked: anything wrong means no snapshot, never half of one. What changed since it was
 * written is in the journal, so nothing that once ruled is forgotten by a kill.
 */
import { existsSync, rmSync } from "node:fs";
import { chmod, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import type { Changes, Resource } from "../../core/model/resource.ts";
import type { Log } from "../../core/process/log.ts";
import { decodeResource } from "../../core/wire/decode-resource.ts";
import { encodeResource } from "../../core/wire/encode-resource.ts";
import { SnapshotSchema } from "../../core/wire/gen/weft/v1/node_pb.ts";
import type { ServedLeaf } from "../channel/messages.ts";
import { ChangeJournal, readJournal } from "./change-journal.ts";
import { CoalescedWrite } from "./coalesced-write.ts";
import { HeldResources } from "./held-resources.ts";
import { type FileDefect, readChecked, writeChecked } from "./snapshot-file.ts";

const RESOURCES_FILE = "snapshot";
const RESOURCES_FORMAT = "weft-snapshot 1";
const LEAVES_FILE = "leaves";
const LEAVES_FORMAT = "weft-leaves 1";
const WRITE_INTERVAL_MS = 200;

export type Restored<T> =
  | { readonly kind: "restored"; readonly value: readonly T[] }
  | { readonly kind: "absent" }
  | { readonly kind: "unusable"; readonly reasons: readonly string[] };

export interface SnapshotOptions {
  /** Made if it is not there; 0700 from then on. */
  readonly directory: string;
  /** Asked when a write begins. */
  readonly resources: () => readonly Resource[];
  readonly leaves: () => readonly ServedLeaf[];
  readonly log: Log;
}

export interface Snapshot {
  /** On disk when it returns: call it before anyone acts by the changes. */
  record(changes: Changes): void;
  resourcesChanged(): void;
  leavesChanged(): void;
  /** Writes what is not written yet: from here on the files may be another's. */
  close(): Promise<void>;
}

export async function openSnapshot(options: SnapshotOptions): Promise<Snapshot> {
  const { directory, log } = options;
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await chmod(directory, 0o700);
  // Nothing is better than what ruled before: a policy may be missing in it. It also makes room where the disk is full.
  const journal = new ChangeJournal(directory, log, () => {
    rmSync(join(directory, RESOURCES_FILE), { force: true });
    resources.request();
  });
  const resources: CoalescedWrite = new CoalescedWrite({
    name: RESOURCES_FILE,
    intervalMs: WRITE_INTERVAL_MS,
    write: async () => {
      const writtenDown = journal.rotate();
      await writeResources(directory, options.resources());
      writtenDown();
    },
    log,
  });
  const leaves = new CoalescedWrite({
    name: LEAVES_FILE,
    intervalMs: WRITE_INTERVAL_MS,
    write: async () => writeLeaves(directory, options.leaves()),
    log,
  });
  return {
    record: (changes) => journal.append(changes),
    resourcesChanged: () => resources.request(),
    leavesChanged: () => leaves.request(),
    close: async () => {
      await Promise.all([resources.close(), leaves.close()]);
      journal.close();
    },
  };
}

export async function restoreResources(directory: string): Promise<Restored<Resource>> {
  const file = await readChecked(join(directory, RESOURCES_FILE), RESOURCES_FORMAT);
  switch (file.kind) {
    case "absent":
      return replayed(directory, file);
    case "unusable":
      return unusable(file.reason);
    case "read":
      return replayed(directory, decodeSnapshot(file.content));
  }
}

/** The snapshot with what changed after it. */
async function replayed(directory: string, base: Restored<Resource>): Promise<Restored<Resource>> {
  if (base.kind === "unusable" || !existsSync(directory)) return base;
  const journal = await readJournal(directory, base.kind === "restored");
  if (journal.kind === "unusable")
    return { kind: "unusable", reasons: [`journal ${journal.reason}`] };
  if (journal.changes.length === 0) return base;
  const held = new HeldResources();
  if (base.kind === "restored") held.apply({ upserts: base.value, removals: [] });
  for (const changes of journal.changes) held.apply(changes);
  return { kind: "restored", value: held.all() };
}

export async function restoreLeaves(directory: string): Promise<Restored<ServedLeaf>> {
  const file = await readChecked(join(directory, LEAVES_FILE), LEAVES_FORMAT);
  switch (file.kind) {
    case "absent":
      return file;
    case "unusable":
      return unusable(file.reason);
    case "read":
      return decodeLeaves(file.content);
  }
}

async function writeResources(directory: string, resources: readonly Resource[]): Promise<void> {
  const snapshot = create(SnapshotSchema, { resources: resources.map(encodeResource) });
  const content = toBinary(SnapshotSchema, snapshot);
  await writeChecked(join(directory, RESOURCES_FILE), RESOURCES_FORMAT, content);
}

async function writeLeaves(directory: string, leaves: readonly ServedLeaf[]): Promise<void> {
  const content = Buffer.from(JSON.stringify(leaves));
  await writeChecked(join(directory, LEAVES_FILE), LEAVES_FORMAT, content);
}

function decodeSnapshot(content: Uint8Array): Restored<Resource> {
  const resources: Resource[] = [];
  const reasons: string[] = [];
  try {
    for (const message of fromBinary(SnapshotSchema, content).resources) {
      const decoded = decodeResource(message);
      if (decoded.kind === "decoded") resources.push(decoded.value);
      else reasons.push(...decoded.reasons.map((reason) => `${message.name}: ${reason}`));
    }
  } catch {
    return unusable("corrupt");
  }
  return reasons.length > 0
    ? { kind: "unusable", reasons }
    : { kind: "restored", value: resources };
}

function decodeLeaves(content: Uint8Array): Restored<ServedLeaf> {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(content).toString());
  } catch {
    return unusable("corrupt");
  }
  if (!Array.isArray(value) || !value.every(isServedLeaf)) return unusable("corrupt");
  return { kind: "restored", value };
}

function isServedLeaf(value: unknown): value is ServedLeaf {
  if (typeof value !== "object" || value === null) return false;
  const leaf: Partial<Record<keyof ServedLeaf, unknown>> = value;
  const texts = [leaf.identity, leaf.chainPem, leaf.keyPem];
  return texts.every((text) => typeof text === "string") && Number.isFinite(leaf.notAfterMs);
}

function unusable<T>(reason: FileDefect): Restored<T> {
  return { kind: "unusable", reasons: [reason] };
}
