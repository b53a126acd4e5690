import { expect, test } from "@jest/globals";
import { type LateReader, ReadLane } from "./read-lane.ts";
import { ReadLanes } from "./read-lanes.ts";

/** As much as a socket's read brings. */
const BULK = 64 << 10;
/** Of which a turn carries so many on. */
const READS = 4;

class Late implements LateReader {
  readonly lateBytes = BULK;
  readonly #delivered: Late[];

  constructor(delivered: Late[]) {
    this.#delivered = delivered;
  }

  deliverLate(): void {
    this.#delivered.push(this);
  }
}

async function turn(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

/** How many of so many reads are carried on at once. */
function admitted(lane: ReadLane, { reads, octets }: { reads: number; octets: number }): number {
  return Array.from({ length: reads }, () => lane.admit(octets)).filter(Boolean).length;
}

test("ReadLane: a turn of the loop carries a few reads of bulk on, and the next as many", async () => {
  const lane = new ReadLane();
  expect(admitted(lane, { reads: 100, octets: BULK })).toBe(READS);
  await turn();
  expect(admitted(lane, { reads: 100, octets: BULK })).toBe(READS);
});

test("ReadLane: what is late goes on in the turns that follow, in order and a few in each", async () => {
  const lane = new ReadLane();
  const delivered: Late[] = [];
  const late = Array.from({ length: 2 * READS + 1 }, () => new Late(delivered));
  admitted(lane, { reads: READS, octets: BULK });
  for (const reader of late) lane.defer(reader);
  const counts: number[] = [];
  while (delivered.length < late.length) {
    await turn();
    counts.push(delivered.length);
  }
  expect(delivered).toEqual(late);
  expect(Math.max(...counts.map((count, i) => count - (counts[i - 1] ?? 0)))).toBeLessThanOrEqual(
    READS,
  );
});

test("ReadLane: no bulk overtakes what is late, and small messages do", async () => {
  const lane = new ReadLane();
  const delivered: Late[] = [];
  for (let i = 0; i < 20 * READS; i += 1) lane.defer(new Late(delivered));
  await turn();
  await turn();
  expect(delivered.length).toBeLessThan(20 * READS);
  expect(lane.admit(BULK)).toBe(false);
  expect(lane.admit(100)).toBe(true);
});

test("ReadLane: of small messages a turn carries a bounded number on, too", () => {
  const carried = admitted(new ReadLane(), { reads: 10_000, octets: 100 });
  expect(carried).toBeGreaterThan(100);
  expect(carried).toBeLessThan(5_000);
});

test("ReadLane: who is gone is not told of its turn", async () => {
  const lane = new ReadLane();
  const delivered: Late[] = [];
  const [gone, stays] = [new Late(delivered), new Late(delivered)];
  lane.defer(gone);
  lane.defer(stays);
  lane.forget(gone);
  while (delivered.length === 0) await turn();
  expect(delivered).toEqual([stays]);
});

test("ReadLanes: one lane for all connections of a pod, another for another's, and none kept after the last", () => {
  const lanes = new ReadLanes();
  const lane = lanes.enter("a");
  expect(lanes.enter("a")).toBe(lane);
  expect(lanes.enter("b")).not.toBe(lane);
  lanes.leave("a");
  expect(lanes.enter("a")).toBe(lane);
  lanes.leave("a");
  lanes.leave("a");
  expect(lanes.enter("a")).not.toBe(lane);
});
