import { Worker } from "node:worker_threads";
import { expect, test } from "@jest/globals";
import { createLog } from "../../core/process/log.ts";
import { anyMember } from "../../test/fakes/any-member.ts";
import { Outliers } from "../balance/outliers.ts";
import { PodSlots } from "../flow/pod-slots.ts";
import { SharedHealths } from "./shared-health.ts";
import { createMeterMemory } from "./shared-meters.ts";
import { COLUMN, createTableMemory, SharedTable } from "./shared-table.ts";
import { createWorkerShares } from "./worker-shares.ts";

const SILENT = createLog({ name: "test", level: "fatal" });

const OUTLIERS = {
  consecutiveFailures: 2,
  baseEjectionMs: 1_000,
  maxEjectionPercent: 100,
  minHealthPercent: 0,
};
const RULES = { outliers: OUTLIERS, answers: undefined };

test("SharedTable: a key's cell is one for all workers, and another key's is another", () => {
  const memory = createTableMemory(2, "secret");
  const [a, b] = [new SharedTable(memory, 0), new SharedTable(memory, 1)];
  a.cell("one")?.add(0, COLUMN.open, 3);
  b.cell("one")?.add(1, COLUMN.open, 4);
  expect(b.cell("one")?.sum(COLUMN.open)).toBe(7);
  expect(b.cell("two")?.sum(COLUMN.open)).toBe(0);
});

test("SharedTable: a dead worker's counts go, and so do cells that nobody else uses", () => {
  const memory = createTableMemory(2, "secret");
  const [a, b] = [new SharedTable(memory, 0), new SharedTable(memory, 1)];
  a.cell("one")?.add(0, COLUMN.open, 3);
  a.cell("mine")?.set(3, 9);
  const kept = b.cell("one");
  kept?.add(1, COLUMN.open, 4);
  new SharedTable(memory).forget(0);
  expect(kept?.sum(COLUMN.open)).toBe(4);
  expect(b.cell("one")?.sum(COLUMN.open)).toBe(4);
  // A cell begins anew.
  expect(b.cell("mine")?.get(3)).toBe(0);
});

test("SharedTable: a lock that a thread died in is open again", () => {
  const memory = createTableMemory(2, "secret");
  const [a, b] = [new SharedTable(memory, 0), new SharedTable(memory, 1)];
  const [cell, table] = [a.cell("one"), new SharedTable(memory)];
  // It never comes out again: what the main thread does meanwhile, it does from here.
  a.lockHealth(() => {
    cell?.exclusively(() => table.forget(0));
    expect(b.cell("one")?.exclusively(() => "in")).toBe("in");
    expect(b.lockHealth(() => "in")).toBe("in");
  });
});

test("SharedTable: threads that count under a lock never pass a limit, and lose no count", async () => {
  const memory = createTableMemory(3, "secret");
  const program = `
    import { workerData, parentPort } from "node:worker_threads";
    import { SharedTable } from ${JSON.stringify(new URL("./shared-table.ts", import.meta.url).href)};
    import { SharedHealths } from ${JSON.stringify(new URL("./shared-health.ts", import.meta.url).href)};
    const health = new SharedHealths(new SharedTable(workerData.memory, workerData.index), () => {}).of("e");
    let [most, entered] = [0, 0];
    for (let i = 0; i < 20000; i += 1) {
      if (!health.enter(2)) continue;
      entered += 1;
      most = Math.max(most, health.open);
      health.leave();
    }
    parentPort.postMessage([most, entered > 0]);
  `;
  const url = new URL(`data:text/javascript,${encodeURIComponent(program)}`);
  const told = await Promise.all(
    [0, 1, 2].map((index) => {
      const thread = new Worker(url, { workerData: { memory, index } });
      return new Promise<[number, boolean]>((resolve, reject) => {
        thread.once("message", resolve).once("error", reject);
      });
    }),
  );
  expect(Math.max(...told.map(([most]) => most))).toBeLessThanOrEqual(2);
  expect(told.map(([, hasEntered]) => hasEntered)).toEqual([true, true, true]);
  expect(new SharedTable(memory, 0).cell("endpoint e")?.sum(COLUMN.open)).toBe(0);
}, 30_000);

test("SharedHealths: what one worker ejects the others leave out, until its time is over", () => {
  const memory = createTableMemory(2, "secret");
  const [a, b] = [0, 1].map((index) => {
    const healths = new SharedHealths(new SharedTable(memory, index), () => undefined);
    const members = ["x", "y"].map((key) => anyMember(key, healths.of(key)));
    return { members, outliers: new Outliers(members, RULES, { healths }) };
  });
  const [mine, theirs, last] = [a?.members[0], b?.members[0], a?.members[1]];
  if (!a || !b || !mine || !theirs || !last) throw new Error("two workers");
  const now = performance.now();
  // One failure each: together they are two.
  expect(a.outliers.failed(mine, now)).toBe(false);
  expect(b.outliers.failed(theirs, now)).toBe(true);
  for (const { outliers } of [a, b]) outliers.advance(now);
  expect([a.outliers.accepts(mine), b.outliers.accepts(theirs)]).toEqual([false, false]);
  // The last one is never ejected, whoever asks.
  expect([1, 2, 3].map(() => a.outliers.failed(last, now))).toEqual([false, false, false]);
  a.outliers.advance(now + 1_200);
  expect([a.outliers.accepts(mine), b.outliers.accepts(theirs)]).toEqual([true, true]);
});

test("SharedHealths: an endpoint fails while any worker's checks say so, and a dead one says nothing", () => {
  const memory = createTableMemory(2, "secret");
  const tables = [new SharedTable(memory, 0), new SharedTable(memory, 1)];
  const [a, b] = tables.map((table) => new SharedHealths(table, () => undefined).of("x"));
  if (!a || !b) throw new Error("two workers");
  a.isFailing = true;
  b.isFailing = true;
  b.isFailing = false;
  expect(b.isFailing).toBe(true);
  new SharedTable(memory).forget(0);
  expect(b.isFailing).toBe(false);
});

test("SharedHealths: requests and answers of all workers count together, and errors in a row are one row", () => {
  const memory = createTableMemory(2, "secret");
  const tables = [new SharedTable(memory, 0), new SharedTable(memory, 1)];
  const [a, b] = tables.map((table) => new SharedHealths(table, () => undefined).of("x"));
  if (!a || !b) throw new Error("two workers");
  expect([a.begin(2), b.begin(2), a.begin(2), b.begin(0)]).toEqual([true, true, false, true]);
  expect([a.active, b.active]).toEqual([3, 3]);
  b.finish();
  a.countAnswer(true);
  b.countAnswer(false);
  a.serverErrors += 1;
  b.serverErrors += 1;
  b.gatewayErrors += 1;
  expect([a.answers, b.failedAnswers, a.serverErrors, a.gatewayErrors]).toEqual([2, 1, 2, 1]);
  new SharedTable(memory).forget(1);
  expect([a.active, a.answers, a.failedAnswers, a.serverErrors]).toEqual([1, 1, 1, 2]);
});

test("SharedAffinity: where one worker sent a caller the other sends it too, as long as the bond holds", () => {
  const memory = createTableMemory(2, "secret");
  const [a, b] = [0, 1].map((index) => {
    return new SharedHealths(new SharedTable(memory, index), () => undefined).affinity("s/p");
  });
  const now = performance.now();
  expect(b?.find("10.0.0.9", now)).toBeUndefined();
  a?.bind("10.0.0.9", { endpoint: 0xf000_0001, untilMs: now + 1_000 });
  expect(b?.find("10.0.0.9", now + 900)).toBe(0xf000_0001);
  expect(b?.find("10.0.0.8", now)).toBeUndefined();
  expect(b?.find("10.0.0.9", now + 1_200)).toBeUndefined();
});

test("PodSlots: what a pod may have is counted over all workers", () => {
  const memory = createTableMemory(2, "secret");
  const [a, b] = [0, 1].map((index) => {
    const table = new SharedTable(memory, index);
    const { countOf } = createWorkerShares({
      table,
      meters: createMeterMemory("secret"),
      post: () => undefined,
      log: SILENT,
    });
    return new PodSlots(3, countOf("uid calling"));
  });
  const taken = [a?.take(), b?.take(), a?.take(), b?.take(), a?.take()];
  expect(taken.map((lease) => lease !== undefined)).toEqual([true, true, true, false, false]);
  taken[1]?.end();
  expect([a?.take(), b?.take()].map((lease) => lease !== undefined)).toEqual([true, false]);
});
