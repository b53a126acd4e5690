/** Predecessors and successors of other versions than this one's: an older one says none, a newer one says more. */
import { EventEmitter, once } from "node:events";
import { existsSync, mkdtempSync, openSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { createLog } from "../../core/process/log.ts";
import { type LineClientOptions, openLineClient } from "../channel/line-client.ts";
import { openLineServer } from "../channel/line-server.ts";
import { closeDescriptor } from "../sys/descriptor.ts";
import { openHandOver } from "./hand-over.ts";
import { parseFromSuccessor, readToSuccessor } from "./messages.ts";
import { tryLockRunDir } from "./run-dir-lock.ts";
import { type TakenOver, takeOver } from "./take-over.ts";

const log = createLog({ name: "test", level: "fatal" });
/** Of one family: the namespace and three sockets. */
const POD = { uid: "uid-a", inode: 7, families: [4] };
let runDir: string;

beforeEach(() => {
  runDir = mkdtempSync(join(tmpdir(), "weft-versions-"));
});

afterEach(() => rmSync(runDir, { recursive: true }));

interface Said {
  readonly message: object;
  readonly descriptors?: readonly number[];
}

function open(count: number): number[] {
  return Array.from({ length: count }, () => openSync("/dev/null", "r"));
}

/** Says just that to whoever comes, the lock beside the last of it. */
async function startPredecessor(said: readonly Said[], encode?: (message: object) => Buffer) {
  const linePath = join(runDir, "first", "line");
  const lock = tryLockRunDir(runDir);
  if (!lock) throw new Error("somebody holds the run directory");
  const told = new EventEmitter();
  const server = await openLineServer<object, { readonly kind: string }>({
    path: linePath,
    log,
    parse: (body) => JSON.parse(body.toString("utf8")),
    ...(encode ? { encode } : {}),
    onMessage: (message) => void told.emit(message.kind, message),
    onConnected: () => {
      for (const { message, descriptors = [] } of said) {
        server.send(message, said.at(-1)?.message === message ? [lock.fd] : descriptors);
        descriptors.forEach(closeDescriptor);
      }
    },
    onDisconnected: () => void told.emit("gone"),
  });
  lock.tellLine(linePath);
  return { told, lock, close: async () => server.close() };
}

function take(): Promise<TakenOver> {
  const { signal } = new AbortController();
  return takeOver({ runDir, mayAsk: true, log, onWait: () => undefined, signal });
}

function letGo({ lock, pods }: TakenOver): void {
  for (const { descriptors } of pods) descriptors.forEach(closeDescriptor);
  lock.release();
}

function asJson(message: object): Buffer {
  return Buffer.from(JSON.stringify(message));
}

test.each([
  ["an older one, in Node's serialization", undefined],
  ["one of this version, in JSON", asJson],
])("takeOver(): takes what %s hands over", async (_of, encode) => {
  const predecessor = await startPredecessor(
    [
      { message: { kind: "pod", pod: POD }, descriptors: open(4) },
      { message: { kind: "handed_over", pods: 1 } },
    ],
    encode,
  );
  const hello = once(predecessor.told, "hello");
  const received = once(predecessor.told, "received");
  const taken = await take();
  expect(await hello).toMatchObject([{ version: 1 }]);
  await received;
  expect(taken.pods).toMatchObject([POD]);
  taken.confirm();
  await predecessor.close();
  predecessor.lock.release();
  letGo(taken);
});

test("takeOver(): passes over kinds and fields of a newer one, and never takes their descriptors for the lock", async () => {
  const predecessor = await startPredecessor(
    [
      { message: { kind: "quotas", of: [1, 2] }, descriptors: open(2) },
      { message: { kind: "pod", pod: { ...POD, zone: "a" }, more: true }, descriptors: open(4) },
      { message: { kind: "statistics" } },
      { message: { kind: "handed_over", pods: 1, version: 9 } },
    ],
    asJson,
  );
  const received = once(predecessor.told, "received");
  const taken = await take();
  await received;
  expect(taken.pods).toEqual([{ ...POD, descriptors: expect.any(Array) }]);
  // The lock that came is the run directory's: it holds after the other's end.
  predecessor.lock.release();
  expect(tryLockRunDir(runDir)).toBeUndefined();
  taken.confirm();
  await predecessor.close();
  letGo(taken);
});

test("takeOver(): a pod of another form is not left without a proxy: nothing is taken, and the one before goes on until it ends", async () => {
  const predecessor = await startPredecessor(
    [
      { message: { kind: "pod_of_two_families", pod: POD }, descriptors: open(4) },
      { message: { kind: "handed_over", pods: 1 } },
    ],
    asJson,
  );
  const heard: string[] = [];
  for (const kind of ["received", "taken_over"]) {
    predecessor.told.on(kind, () => heard.push(kind));
  }
  const gone = once(predecessor.told, "gone");
  const taking = take();
  await gone;
  expect(tryLockRunDir(runDir)).toBeUndefined();
  await predecessor.close();
  predecessor.lock.release();
  const taken = await taking;
  expect(taken.pods).toEqual([]);
  expect(heard).toEqual([]);
  letGo(taken);
}, 15_000);

test.each([
  ["of another kind", { kind: "pod_of_two_families", pod: POD }, 4],
  ["with a family that is not known", { kind: "pod", pod: { ...POD, families: [4, 10] } }, 7],
  ["with a socket too many", { kind: "pod", pod: POD }, 5],
  ["with a socket too few", { kind: "pod", pod: POD }, 3],
  ["without a uid", { kind: "pod", pod: { inode: 7, families: [4] } }, 4],
  ["of nothing", { kind: "pod", pod: null }, 4],
])("readToSuccessor(): no pod %s", (_what, message, count) => {
  expect(
    readToSuccessor(
      message,
      Array.from({ length: count }, (_, i) => i),
    ),
  ).toBeUndefined();
});

/** Its owner, of this version. */
async function startOwner() {
  const lock = tryLockRunDir(runDir);
  if (!lock) throw new Error("somebody holds the run directory");
  const told = new EventEmitter();
  const path = join(runDir, "first", "line");
  const descriptors = open(4);
  const handOver = await openHandOver({
    linePath: path,
    log,
    give: async () => [{ uid: POD.uid, inode: POD.inode, families: [4], descriptors }],
    lock: () => lock.fd,
    onReceived: () => void told.emit("received"),
    onTakenOver: () => void told.emit("taken over"),
    onGivenBack: () => void told.emit("given back"),
  });
  return { told, lock, handOver, path };
}

test.each([
  ["an older one, which says no version", {}],
  ["a newer one, which says more than is known here", { version: 99 }],
])(
  "openHandOver(): hands over to %s",
  async (_to, version: Pick<LineClientOptions<never>, "version">) => {
    const { told, lock, handOver, path } = await startOwner();
    const takenOver = once(told, "taken over");
    const heard: unknown[] = [];
    const successor = openLineClient<object, { readonly kind: string }>({
      path,
      log,
      ...version,
      onMessage: (message, descriptors) => {
        heard.push([message, descriptors.length]);
        descriptors.forEach(closeDescriptor);
        if (message.kind !== "handed_over") return;
        for (const kind of ["wishes", "received", "progress", "taken_over"]) {
          successor.send({ kind, more: true });
        }
      },
    });
    await takenOver;
    successor.close();
    expect(heard).toEqual([
      [{ kind: "pod", pod: POD }, 4],
      [{ kind: "handed_over", pods: 1 }, 1],
    ]);
    await handOver.close();
    expect(existsSync(path)).toBe(false);
    lock.release();
  },
);

test.each(["1", -1, 1.5, null])("parseFromSuccessor(): no hello of version %j", (version) => {
  expect(parseFromSuccessor(asJson({ kind: "hello", pid: 7, version }))).toBeUndefined();
});
