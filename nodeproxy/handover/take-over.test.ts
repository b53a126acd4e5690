import { spawn } from "node:child_process";
import { EventEmitter, once } from "node:events";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { createLog } from "../../core/process/log.ts";
import type { KeptPod } from "../channel/kept-descriptors.ts";
import { openLineClient } from "../channel/line-client.ts";
import { closeDescriptor, duplicateDescriptor } from "../sys/descriptor.ts";
import { receiveDescriptors, sendDescriptors } from "../sys/descriptor-message.ts";
import { openSocketPair } from "../sys/unix-socket.ts";
import { openHandOver } from "./hand-over.ts";
import type { FromSuccessor, ToSuccessor } from "./messages.ts";
import { tryLockRunDir } from "./run-dir-lock.ts";
import { removeOldLines, type TakenOver, takeOver } from "./take-over.ts";

const log = createLog({ name: "test", level: "fatal" });
let runDir: string;

beforeEach(() => {
  runDir = mkdtempSync(join(tmpdir(), "weft-handover-"));
});

afterEach(() => rmSync(runDir, { recursive: true }));

function take(onWait = () => undefined as void): Promise<TakenOver> {
  const { signal } = new AbortController();
  return takeOver({ runDir, mayAsk: true, log, onWait, signal });
}

/** The owner of the run directory, with the pods it has, telling what it is told. */
async function startOwner(pods: readonly KeptPod[], give = async () => pods) {
  const linePath = join(runDir, "first", "line");
  const lock = tryLockRunDir(runDir);
  if (!lock) throw new Error("somebody holds the run directory");
  const told = new EventEmitter();
  const handOver = await openHandOver({
    linePath,
    log,
    give,
    lock: () => lock.fd,
    onReceived: () => {
      lock.release();
      told.emit("received");
    },
    onTakenOver: () => void told.emit("taken over"),
    onGivenBack: () => void told.emit("given back"),
  });
  lock.tellLine(linePath);
  return { told, handOver, lock };
}

function openPod(): { readonly pod: KeptPod; readonly otherEnd: number } {
  const [one, otherEnd] = openSocketPair();
  const sockets = Array.from({ length: 3 }, () => duplicateDescriptor(one));
  return {
    pod: { uid: "uid-a", inode: 7, families: [4], descriptors: [one, ...sockets] },
    otherEnd,
  };
}

test("takeOver(): where nobody is, at once and with nothing", async () => {
  const { lock, pods } = await take();
  expect(pods).toEqual([]);
  expect(tryLockRunDir(runDir)).toBeUndefined();
  lock.release();
});

test("removeOldLines(): nothing of the lines of those that were killed stays, all else does", () => {
  for (const name of ["hand-over-1", "hand-over-2", "line"]) mkdirSync(join(runDir, name));
  writeFileSync(join(runDir, "hand-over-1", "line"), "");
  removeOldLines(runDir);
  expect(readdirSync(runDir)).toEqual(["line"]);
});

test("takeOver(): the pods come with descriptors that work, then the directory, and the end is told", async () => {
  const { pod, otherEnd } = openPod();
  const owner = await startOwner([pod]);
  const takenOver = once(owner.told, "taken over");
  const taken = await take();
  const { lock, pods } = taken;
  expect(pods).toMatchObject([{ uid: "uid-a", inode: 7, families: [4] }]);
  const descriptors = pods[0]?.descriptors ?? [];
  const [fd = -1] = descriptors;
  sendDescriptors(otherEnd, { payload: Buffer.from("hello"), descriptors: [] });
  expect(receiveDescriptors(fd, false)?.payload.toString()).toBe("hello");
  taken.confirm();
  await takenOver;
  await owner.handOver.close();
  for (const each of [...descriptors, otherEnd]) closeDescriptor(each);
  lock.release();
});

test.each([false, true])(
  "openHandOver(): a successor that goes before it serves gives everything back (received: %s)",
  async (hasReceived) => {
    const owner = await startOwner([]);
    const given = once(owner.told, "given back");
    const successor = openLineClient<FromSuccessor, ToSuccessor>({
      path: join(runDir, "first", "line"),
      log,
      onMessage: (_message, descriptors) => {
        descriptors.forEach(closeDescriptor);
        if (hasReceived) successor.send({ kind: "received" });
        successor.close();
      },
    });
    await given;
    await owner.handOver.close();
    owner.lock.release();
    // The next may ask again.
    const next = await startOwner([]);
    const takenOver = once(next.told, "taken over");
    const taken = await take();
    taken.confirm();
    await takenOver;
    await next.handOver.close();
    expect(taken.pods).toEqual([]);
    taken.lock.release();
  },
);

test("takeOver(): the lock goes over without being free in between", async () => {
  const owner = await startOwner([]);
  const received = once(owner.told, "received");
  const taking = take();
  await received;
  expect(tryLockRunDir(runDir)).toBeUndefined();
  const taken = await taking;
  expect(tryLockRunDir(runDir)).toBeUndefined();
  taken.confirm();
  await owner.handOver.close();
  taken.lock.release();
  const free = tryLockRunDir(runDir);
  expect(free).toBeDefined();
  free?.release();
});

test("openHandOver(): a second successor gets nothing while the first is there", async () => {
  const owner = await startOwner([]);
  const first = await take();
  const heard: unknown[] = [];
  const second = openLineClient<FromSuccessor, ToSuccessor>({
    path: join(runDir, "first", "line"),
    log,
    onMessage: (message) => void heard.push(message),
  });
  const takenOver = once(owner.told, "taken over");
  first.confirm();
  await takenOver;
  second.close();
  await owner.handOver.close();
  expect(heard).toEqual([]);
  first.lock.release();
});

test("openHandOver(): closing waits until what was begun has been given", async () => {
  const { pod, otherEnd } = openPod();
  const begun = Promise.withResolvers<void>();
  const go = Promise.withResolvers<void>();
  const owner = await startOwner([], async () => {
    begun.resolve();
    await go.promise;
    return [pod];
  });
  const taking = take();
  await begun.promise;
  const closed = owner.handOver.close();
  go.resolve();
  await closed;
  owner.lock.release();
  const taken = await taking;
  const { lock, pods } = taken;
  expect(pods).toMatchObject([{ uid: "uid-a" }]);
  for (const fd of [...(pods[0]?.descriptors ?? []), otherEnd]) closeDescriptor(fd);
  taken.confirm();
  lock.release();
});

/** Holds the run directory in a process of its own, which gives nothing to whoever asks. */
async function startHolder() {
  const folder = resolve("nodeproxy");
  const program = `import { openHandOver } from ${JSON.stringify(join(folder, "handover/hand-over.ts"))};
import { tryLockRunDir } from ${JSON.stringify(join(folder, "handover/run-dir-lock.ts"))};
import { createLog } from ${JSON.stringify(resolve("core/process/log.ts"))};
const lock = tryLockRunDir(${JSON.stringify(runDir)});
const linePath = ${JSON.stringify(join(runDir, "killed", "line"))};
await openHandOver({ linePath, log: createLog({ name: "holder", level: "fatal" }),
  give: () => new Promise(() => console.log("asked")), lock: () => lock.fd,
  onReceived() {}, onTakenOver() {}, onGivenBack() {} });
lock.tellLine(linePath);
console.log("held");`;
  const holder = spawn(process.execPath, ["--input-type=module", "-e", program]);
  await once(holder.stdout, "data");
  return holder;
}

test("takeOver(): a holder that is killed with its keeper leaves the directory, and no pods", async () => {
  const holder = await startHolder();
  const taking = take();
  await once(holder.stdout, "data");
  holder.kill("SIGKILL");
  const { lock, pods } = await taking;
  expect(pods).toEqual([]);
  lock.release();
}, 15_000);

test("takeOver(): a holder that is killed while it gives comes back first, and is asked again", async () => {
  const holder = await startHolder();
  const taking = take();
  await once(holder.stdout, "data");
  const exit = once(holder, "exit");
  holder.kill("SIGKILL");
  await exit;
  const { pod, otherEnd } = openPod();
  const owner = await startOwnerAgain([pod]);
  const taken = await taking;
  const { lock, pods } = taken;
  expect(pods).toMatchObject([{ uid: "uid-a" }]);
  for (const fd of [...(pods[0]?.descriptors ?? []), otherEnd]) closeDescriptor(fd);
  taken.confirm();
  await owner.handOver.close();
  lock.release();
}, 15_000);

/** As a control process that its keeper starts again: it waits for the lock. */
async function startOwnerAgain(pods: readonly KeptPod[]) {
  for (;;) {
    const isFree = tryLockRunDir(runDir);
    isFree?.release();
    if (isFree) return startOwner(pods);
    await nextTurn();
  }
}
