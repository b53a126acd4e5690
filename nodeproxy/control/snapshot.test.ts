import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import fc from "fast-check";
import { pino } from "pino";
import type { Resource } from "../../core/model/resource.ts";
import { anyResource } from "../../test/fakes/any-resource.ts";
import type { ServedLeaf } from "../channel/messages.ts";
import { openSnapshot, restoreLeaves, restoreResources, type Snapshot } from "./snapshot.ts";

const leaf: ServedLeaf = {
  identity: "spiffe://cluster.local/ns/shop/sa/web",
  chainPem: "chain",
  keyPem: "key",
  notAfterMs: 1_000,
};

let directory: string;
let resources: readonly Resource[] = [];

beforeEach(async () => {
  directory = join(await mkdtemp(join(tmpdir(), "weft-snapshot-")), "run");
});

afterEach(async () => {
  await rm(join(directory, ".."), { recursive: true });
});

function open(): Promise<Snapshot> {
  const log = pino({ level: "silent" });
  return openSnapshot({ directory, resources: () => resources, leaves: () => [leaf], log });
}

async function write(): Promise<void> {
  const snapshot = await open();
  snapshot.resourcesChanged();
  snapshot.leavesChanged();
  await snapshot.close();
}

function bundle(trustDomain: string): Resource {
  const roots = [Uint8Array.of(1, 2, 3)];
  return {
    name: trustDomain,
    version: "1",
    body: { kind: "bundle", value: { trustDomain, roots, issuer: "", retired: [] } },
  };
}

test("snapshot: what is written is read back, for every kind of resource", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(anyResource(), { maxLength: 20 }), async (all) => {
      resources = all;
      await write();
      expect(await restoreResources(directory)).toEqual({ kind: "restored", value: all });
    }),
    { numRuns: 30 },
  );
  expect(await restoreLeaves(directory)).toEqual({ kind: "restored", value: [leaf] });
});

test("snapshot: is root's alone, and leaves nothing beside its two files", async () => {
  resources = [bundle("cluster.local")];
  await write();
  const names = await readdir(directory);
  expect(names.sort()).toEqual(["leaves", "snapshot"]);
  expect((await stat(directory)).mode & 0o777).toBe(0o700);
  for (const name of names) expect((await stat(join(directory, name))).mode & 0o777).toBe(0o600);
});

test("snapshot: nothing is there after a reboot", async () => {
  expect(await restoreResources(directory)).toEqual({ kind: "absent" });
  expect(await restoreLeaves(directory)).toEqual({ kind: "absent" });
});

test("snapshot: cut anywhere or with any bit turned over, it is not used", async () => {
  resources = [bundle("cluster.local")];
  await write();
  const path = join(directory, "snapshot");
  const good = await readFile(path);
  for (let length = 0; length < good.length; length += 1) {
    await writeFile(path, good.subarray(0, length));
    expect((await restoreResources(directory)).kind).toBe("unusable");
  }
  for (let at = 0; at < good.length; at += 1) {
    const turned = Buffer.from(good);
    turned.writeUInt8(turned.readUInt8(at) ^ 1, at);
    await writeFile(path, turned);
    expect((await restoreResources(directory)).kind).toBe("unusable");
  }
  await writeFile(path, good);
  expect((await restoreResources(directory)).kind).toBe("restored");
});

test("snapshot: of another format or kind, it says so", async () => {
  resources = [];
  await write();
  await writeFile(join(directory, "snapshot"), "weft-snapshot 2\nwhatever");
  await writeFile(join(directory, "leaves"), await readFile(join(directory, "snapshot")));
  const unusable = { kind: "unusable", reasons: ["other_format"] };
  expect(await restoreResources(directory)).toEqual(unusable);
  expect(await restoreLeaves(directory)).toEqual(unusable);
});

test("snapshot: after close() the files belong to another", async () => {
  resources = [bundle("a")];
  const snapshot = await open();
  snapshot.resourcesChanged();
  await snapshot.close();
  resources = [bundle("b")];
  snapshot.resourcesChanged();
  await snapshot.close();
  expect(await restoreResources(directory)).toEqual({ kind: "restored", value: [bundle("a")] });
});

test("snapshot: a burst of changes is one write, of the last state", async () => {
  const seen: number[] = [];
  const log = pino({ level: "silent" });
  const snapshot = await openSnapshot({
    directory,
    resources: () => {
      seen.push(resources.length);
      return resources;
    },
    leaves: () => [],
    log,
  });
  for (let i = 0; i < 10; i += 1) {
    resources = Array.from({ length: i }, (_, n) => bundle(`td-${n}`));
    snapshot.resourcesChanged();
  }
  await snapshot.close();
  expect(seen).toEqual([9]);
});
