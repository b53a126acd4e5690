/** The disk that control writes to is full: what is read from it later is all that ruled, or nothing, never what ruled before. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import type { Changes, Resource } from "../../core/model/resource.ts";
import { createLog } from "../../core/process/log.ts";
import { HeldResources } from "../../nodeproxy/control/held-resources.ts";
import { openSnapshot, restoreResources, type Snapshot } from "../../nodeproxy/control/snapshot.ts";
import { until } from "../world/until.ts";

const DISK_BYTES = 256 << 10;
const log = createLog({ name: "test", level: "fatal" });
let disk: string;
let directory: string;
let held: HeldResources;
let snapshot: Snapshot;

beforeEach(async () => {
  disk = mkdtempSync(join(tmpdir(), "weft-disk-"));
  execFileSync("mount", ["-t", "tmpfs", "-o", `size=${DISK_BYTES}`, "tmpfs", disk]);
  directory = join(disk, "run");
  held = new HeldResources();
  snapshot = await openSnapshot({ directory, resources: () => held.all(), leaves: () => [], log });
});

afterEach(async () => {
  rmSync(join(disk, "ballast"), { force: true });
  await snapshot.close();
  execFileSync("umount", [disk]);
  rmSync(disk, { recursive: true });
});

function bundle(trustDomain: string, bytes: number): Resource {
  const roots = [Uint8Array.from({ length: bytes }, (_, i) => i & 255)];
  const value = { trustDomain, roots, issuer: "", retired: [] };
  return { name: trustDomain, version: "1", body: { kind: "bundle", value } };
}

/** As control does: on disk before anyone acts by it. */
function take(...upserts: readonly Resource[]): void {
  const changes: Changes = { upserts, removals: [] };
  snapshot.record(changes);
  held.apply(changes);
  snapshot.resourcesChanged();
}

/** What a control process would find that is started now, in place of one that was killed. */
async function found(): Promise<readonly string[] | undefined> {
  const restored = await restoreResources(directory);
  return restored.kind === "restored"
    ? restored.value.map(({ name }) => name).toSorted()
    : undefined;
}

function fillDisk(): void {
  for (const size of [4_096, 1]) {
    try {
      for (;;) writeFileSync(join(disk, "ballast"), Buffer.alloc(size), { flag: "a" });
    } catch {
      // ENOSPC, as meant.
    }
  }
}

test("a full disk: a change that is not recorded leaves nothing behind that ruled before it", async () => {
  take(bundle("first.example", 1_000));
  await until("the first snapshot", async () => (await found())?.length);
  fillDisk();
  take(bundle("second.example", 30_000));
  const left = await found();
  expect([undefined, ["first.example", "second.example"]]).toContainEqual(left);
});

test("a full disk: once there is room everything is written, without another change", async () => {
  take(bundle("first.example", 1_000));
  await until("the first snapshot", async () => (await found())?.length);
  fillDisk();
  take(bundle("second.example", 60_000));
  expect(await found()).toBeUndefined();
  rmSync(join(disk, "ballast"));
  await until("the second", async () => ((await found())?.length === 2 ? true : undefined));
  expect(await found()).toEqual(["first.example", "second.example"]);
});
