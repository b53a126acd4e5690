import { closeSync, openSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import fc from "fast-check";
import { pino } from "pino";
import type { Changes, Resource } from "../../core/model/resource.ts";
import { refOf } from "../../core/wire/decode-changes.ts";
import { ChangeJournal, readJournal } from "./change-journal.ts";
import { HeldResources } from "./held-resources.ts";
import { openSnapshot, restoreResources, type Snapshot } from "./snapshot.ts";

const log = pino({ level: "silent" });
let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "weft-journal-"));
});

afterEach(async () => {
  await rm(directory, { recursive: true });
});

function bundle(trustDomain: string, version = "1"): Resource {
  return {
    name: trustDomain,
    version,
    body: {
      kind: "bundle",
      value: { trustDomain, roots: [Uint8Array.of(1)], issuer: "", retired: [] },
    },
  };
}

function put(...upserts: readonly Resource[]): Changes {
  return { upserts, removals: [] };
}

function drop(...gone: readonly Resource[]): Changes {
  return { upserts: [], removals: gone.map(refOf) };
}

/** What a control process holds and writes, as it is when it is killed: nothing is closed. */
class Holder {
  readonly held = new HeldResources();
  readonly snapshot: Promise<Snapshot>;

  constructor() {
    const resources = () => this.held.all();
    this.snapshot = openSnapshot({ directory, resources, leaves: () => [], log });
  }

  async take(changes: Changes): Promise<void> {
    const snapshot = await this.snapshot;
    snapshot.record(changes);
    this.held.apply(changes);
  }
}

test("ChangeJournal: a control killed before its first snapshot still knows what it applied", async () => {
  const before = new Holder();
  await before.take(put(bundle("a"), bundle("b")));
  await before.take({ ...put(bundle("b", "2")), removals: drop(bundle("a")).removals });
  expect(await restoreResources(directory)).toEqual({
    kind: "restored",
    value: [bundle("b", "2")],
  });
});

test("ChangeJournal: killed at any moment, whatever was recorded is restored, over any number of starts", async () => {
  const step = fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({
        put: fc.constantFrom("a", "b", "c"),
        version: fc.constantFrom("1", "2", "3"),
      }),
    },
    { weight: 3, arbitrary: fc.record({ drop: fc.constantFrom("a", "b", "c") }) },
    { weight: 2, arbitrary: fc.constant("snapshot" as const) },
    { weight: 2, arbitrary: fc.constant("kill" as const) },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
      await rm(directory, { recursive: true });
      await mkdir(directory);
      const wanted: unknown[] = [];
      const found: unknown[] = [];
      let holder = new Holder();
      for (const one of steps) {
        if (one === "kill" || one === "snapshot") {
          const snapshot = await holder.snapshot;
          if (one === "snapshot") snapshot.resourcesChanged();
          if (one === "snapshot") await snapshot.close();
          const restored = await restoreResources(directory);
          const value = restored.kind === "restored" ? restored.value : [];
          wanted.push(byName(holder.held.all()));
          found.push(byName(value));
          holder = new Holder();
          holder.held.apply(put(...value));
        } else if ("put" in one) await holder.take(put(bundle(one.put, one.version)));
        else await holder.take(drop(bundle(one.drop)));
      }
      await holder.snapshot;
      expect(found).toEqual(wanted);
    }),
    { numRuns: 60 },
  );
});

test("readJournal(): a record that was cut short was never acted by", async () => {
  const journal = new ChangeJournal(directory, log);
  journal.append(put(bundle("a")));
  const whole = await readFile(join(directory, "journal.1"));
  journal.append(put(bundle("b")));
  journal.close();
  const both = await readFile(join(directory, "journal.1"));
  for (let length = whole.length; length < both.length; length += 1) {
    await writeFile(join(directory, "journal.1"), both.subarray(0, length));
    expect(await readJournal(directory, true)).toEqual({
      kind: "read",
      changes: [put(bundle("a"))],
    });
  }
});

test("readJournal(): a byte turned over makes all of it unusable", async () => {
  const journal = new ChangeJournal(directory, log);
  journal.append(put(bundle("a")));
  journal.close();
  const good = await readFile(join(directory, "journal.1"));
  for (let at = 4; at < good.length; at += 1) {
    const turned = Buffer.from(good);
    turned.writeUInt8(turned.readUInt8(at) ^ 1, at);
    await writeFile(join(directory, "journal.1"), turned);
    expect(await readJournal(directory, true)).toEqual({ kind: "unusable", reason: "corrupt" });
  }
});

test("readJournal(): without a snapshot it is of use only from the very first change on", async () => {
  const journal = new ChangeJournal(directory, log);
  journal.rotate();
  journal.append(put(bundle("b")));
  journal.close();
  expect(await readJournal(directory, false)).toEqual({ kind: "unusable", reason: "incomplete" });
  expect((await readJournal(directory, true)).kind).toBe("read");
});

test("ChangeJournal: after a record that could not be written nothing is recorded until a snapshot holds it", async () => {
  const journal = new ChangeJournal(directory, log);
  // Writing to it fails as on a full disk.
  await symlink("/dev/full", join(directory, "journal.1"));
  journal.append(put(bundle("lost")));
  const early = journal.rotate();
  journal.append(put(bundle("skipped")));
  early();
  journal.append(put(bundle("skipped too")));
  await rm(join(directory, "journal.1"), { force: true });
  expect(await readJournal(directory, true)).toEqual({ kind: "read", changes: [] });
  journal.rotate()();
  journal.append(put(bundle("kept")));
  journal.close();
  expect(await readJournal(directory, true)).toEqual({
    kind: "read",
    changes: [put(bundle("kept"))],
  });
});

test("ChangeJournal: close() lets the file go", () => {
  const journal = new ChangeJournal(directory, log);
  const before = openSync("/dev/null", "r");
  closeSync(before);
  journal.append(put(bundle("a")));
  journal.close();
  const after = openSync("/dev/null", "r");
  closeSync(after);
  expect(after).toBe(before);
});

function byName(resources: readonly Resource[]): readonly Resource[] {
  return resources.toSorted((a, b) => a.name.localeCompare(b.name));
}
