import { mkdir, mkdtemp, rename, rm, unlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "@jest/globals";
import { pino } from "pino";
import { FilesSource } from "./files.ts";
import type { SourceEvent } from "./source.ts";

const open: { close(): Promise<void> }[] = [];

afterEach(async () => {
  for (const source of open.splice(0)) await source.close();
});

/** A source over a fresh directory, and its events as short texts that can be waited for. */
async function startSource(files: Readonly<Record<string, string>>, rescanMs = 60_000) {
  const directory = await mkdtemp(join(tmpdir(), "weft-files-"));
  for (const [name, text] of Object.entries(files)) await writeFile(join(directory, name), text);
  const events: string[] = [];
  const waiting = new Set<() => void>();
  const source = new FilesSource({ directory, log: pino({ level: "silent" }), rescanMs });
  open.push({
    close: () => source.close().then(() => rm(directory, { recursive: true, force: true })),
  });
  await source.start((event) => {
    events.push(told(event));
    for (const check of waiting) check();
  });
  return {
    source,
    events,
    path: (name: string) => join(directory, name),
    directory,
    /** Until `count` events have come since the start. */
    async until(count: number): Promise<void> {
      const { promise, resolve } = Promise.withResolvers<void>();
      function check(): void {
        if (events.length >= count) resolve();
      }
      waiting.add(check);
      check();
      await promise;
      waiting.delete(check);
    },
    async untilErrors(codes: readonly string[]): Promise<void> {
      const wanted = codes.join();
      while (
        source
          .errors()
          .map(({ code }) => code)
          .join() !== wanted
      ) {
        await new Promise((resolve) => setImmediate(resolve));
      }
    },
  };
}

function told(event: SourceEvent): string {
  if (event.kind === "synced") return "synced";
  const { kind, metadata } = event.object;
  return `${event.kind} ${kind} ${metadata.namespace}/${metadata.name}`;
}

function service(name: string, extra = ""): string {
  return `apiVersion: v1\nkind: Service\nmetadata: {name: ${name}, namespace: shop}\nspec: {clusterIP: 10.0.0.1${extra}}\n`;
}

test("FilesSource: documents, lists and JSON are told before start() resolves, other kinds are not", async () => {
  const { events } = await startSource({
    "a.yaml": `${service("a")}---\n${service("b")}---\n# nothing here\n`,
    "b.yml": `apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Namespace\n  metadata: {name: shop}\n`,
    "c.json": JSON.stringify({
      apiVersion: "v1",
      kind: "ServiceAccount",
      metadata: { name: "x", namespace: "shop" },
    }),
    "notes.txt": "not yaml: [",
    ".a.yaml.swp": "half",
  });
  expect(events).toEqual([
    "upsert Service shop/a",
    "upsert Service shop/b",
    "upsert Namespace /shop",
    "synced",
  ]);
});

test("FilesSource: a namespaced object without a namespace is in default, and gets a stable uid", async () => {
  const directory = await mkdtemp(join(tmpdir(), "weft-files-"));
  await writeFile(
    join(directory, "p.yaml"),
    "apiVersion: weft.dev/v1\nkind: PeerAuthentication\nmetadata: {name: p}\nspec: {}\n",
  );
  const seen: unknown[] = [];
  for (let i = 0; i < 2; i++) {
    const source = new FilesSource({ directory, log: pino({ level: "silent" }) });
    await source.start((event) => {
      if (event.kind === "upsert") seen.push(event.object.metadata);
    });
    await source.close();
  }
  await rm(directory, { recursive: true });
  expect(seen[0]).toMatchObject({ namespace: "default", generation: 1 });
  expect((seen[0] as { uid: string }).uid).toMatch(/^file-[0-9a-f]{16}$/);
  expect(seen[1]).toEqual(seen[0]);
});

test("FilesSource: a changed file tells what differs at once, not only at the next rescan", async () => {
  const source = await startSource({ "a.yaml": `${service("a")}---\n${service("b")}` });
  const startedMs = performance.now();
  await writeFile(
    source.path("a.yaml"),
    `${service("a")}---\n${service("b", ", type: ClusterIP")}`,
  );
  await source.until(4);
  const tookMs = performance.now() - startedMs;
  expect(source.events.slice(3)).toEqual(["upsert Service shop/b"]);
  // Well under 50 ms on an idle machine; the rescan comes after 60 s here, so only the watch can have told it.
  expect(tookMs).toBeLessThan(1000);
});

test("FilesSource: a file that is removed or renamed away takes its objects with it", async () => {
  const source = await startSource({ "a.yaml": service("a"), "b.yaml": service("b") });
  await unlink(source.path("a.yaml"));
  await source.until(4);
  await rename(source.path("b.yaml"), source.path("b.off"));
  await source.until(5);
  expect(source.events.slice(3)).toEqual(["delete Service shop/a", "delete Service shop/b"]);
});

test("FilesSource: a replacing rename keeps what is the same", async () => {
  const source = await startSource({ "a.yaml": `${service("a")}---\n${service("b")}` });
  await writeFile(source.path("new"), `${service("a")}---\n${service("c")}`);
  await rename(source.path("new"), source.path("a.yaml"));
  await source.until(5);
  expect(source.events.slice(3)).toEqual(["delete Service shop/b", "upsert Service shop/c"]);
});

test.each([
  ["half-written YAML", "apiVersion: v1\nkind: Service\nmetadata: {name: a, names"],
  ["an empty file", ""],
  ["a document that is no object", `${service("a")}---\n- 1\n`],
  ["an object without a name", "apiVersion: v1\nkind: Service\nmetadata: {}\n"],
  [
    "labels that are no strings",
    "apiVersion: v1\nkind: Pod\nmetadata: {name: a, labels: {x: 1}}\n",
  ],
  [
    "an alias bomb",
    `a: &a [${"x,".repeat(50)}]\nb: &b [${"*a,".repeat(50)}]\nc: [${"*b,".repeat(50)}]\n`,
  ],
])("FilesSource: %s keeps the last good content and is told", async (_, text) => {
  const source = await startSource({ "a.yaml": service("a") });
  await writeFile(source.path("a.yaml"), text);
  await source.untilErrors(["malformed_file"]);
  expect(source.events).toEqual(["upsert Service shop/a", "synced"]);
  await writeFile(source.path("a.yaml"), service("b"));
  await source.until(4);
  expect(source.events.slice(2)).toEqual(["delete Service shop/a", "upsert Service shop/b"]);
  expect(source.source.errors()).toEqual([]);
});

test("FilesSource: of an object in two files the first by name counts, and the other takes over", async () => {
  const source = await startSource({
    "b.yaml": service("a", ", type: NodePort"),
    "a.yaml": service("a"),
  });
  expect(source.source.errors()).toEqual([
    expect.objectContaining({ code: "duplicate_object", place: "b.yaml" }),
  ]);
  await unlink(source.path("a.yaml"));
  await source.until(3);
  expect(source.events.slice(2)).toEqual(["upsert Service shop/a"]);
  expect(source.source.errors()).toEqual([]);
});

test("FilesSource: a pod that comes back under its name with another uid is deleted first", async () => {
  function pod(uid: string): string {
    return `apiVersion: v1\nkind: Pod\nmetadata: {name: a, namespace: shop, uid: ${uid}}\nspec: {}\n`;
  }
  const source = await startSource({ "a.yaml": pod("one") });
  await writeFile(source.path("a.yaml"), pod("two"));
  await source.until(4);
  expect(source.events.slice(2)).toEqual(["delete Pod shop/a", "upsert Pod shop/a"]);
});

test("FilesSource: a misspelt kind of weft.dev is told", async () => {
  const { source } = await startSource({
    "a.yaml": "apiVersion: weft.dev/v1\nkind: AuthorisationPolicy\nmetadata: {name: a}\n",
  });
  expect(source.errors()).toEqual([
    { code: "unknown_kind", place: "a.yaml", message: "weft.dev/v1 AuthorisationPolicy" },
  ]);
});

test("FilesSource: a directory that vanishes takes nothing with it, and counts again when it is back", async () => {
  const source = await startSource({ "a.yaml": service("a") }, 20);
  await rename(source.directory, `${source.directory}.away`);
  await source.untilErrors(["unreadable"]);
  expect(source.events).toEqual(["upsert Service shop/a", "synced"]);
  await mkdir(source.directory);
  await writeFile(source.path("b.yaml"), service("b"));
  await source.until(4);
  expect(source.events.slice(2)).toEqual(["delete Service shop/a", "upsert Service shop/b"]);
  await rm(`${source.directory}.away`, { recursive: true });
});

test("FilesSource: a directory that is not there is a wrong setting", async () => {
  const source = new FilesSource({ directory: "/nowhere/at/all", log: pino({ level: "silent" }) });
  await expect(source.start(() => undefined)).rejects.toThrow("/nowhere/at/all");
});
