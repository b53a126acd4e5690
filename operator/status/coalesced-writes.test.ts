import { afterEach, beforeEach, expect, jest, test } from "@jest/globals";
import { CoalescedWrites } from "./coalesced-writes.ts";

let written: string[];
let writes: CoalescedWrites<string>;
/** What the next writes do; succeed where there is none. */
let failures: Error[];
let isWorthRetrying: boolean;

beforeEach(() => {
  jest.useFakeTimers();
  written = [];
  failures = [];
  isWorthRetrying = true;
  writes = new CoalescedWrites({
    write: async (key, value) => {
      const failure = failures.shift();
      if (failure) throw failure;
      written.push(`${key}=${value}`);
    },
    onFailure: () => isWorthRetrying,
    isSame: (a, b) => a === b,
    intervalMs: 1000,
    limit: 2,
  });
});

afterEach(async () => {
  await writes.close();
  jest.useRealTimers();
});

test("CoalescedWrites: the first value is written at once, of those that follow only the last, a second later", async () => {
  for (const value of ["1", "2", "3"]) {
    writes.put("a", value);
    await jest.advanceTimersByTimeAsync(10);
  }
  expect(written).toEqual(["a=1"]);
  await jest.advanceTimersByTimeAsync(1000);
  expect(written).toEqual(["a=1", "a=3"]);
});

test("CoalescedWrites: what is written already is not written again, unless it was forgotten", async () => {
  writes.put("a", "1");
  await jest.advanceTimersByTimeAsync(2000);
  writes.put("a", "1");
  await jest.advanceTimersByTimeAsync(2000);
  writes.forget("a");
  writes.put("a", "1");
  await jest.advanceTimersByTimeAsync(2000);
  expect(written).toEqual(["a=1", "a=1"]);
});

test("CoalescedWrites: a failed write is tried again with the latest value, and hurts no other key", async () => {
  failures = [new Error("away"), new Error("away")];
  writes.put("a", "1");
  await jest.advanceTimersByTimeAsync(0);
  writes.put("a", "2");
  writes.put("b", "1");
  await jest.advanceTimersByTimeAsync(60_000);
  expect(written.toSorted()).toEqual(["a=2", "b=1"]);
});

test("CoalescedWrites: after a long outage a value is written within five seconds", async () => {
  failures = Array.from({ length: 1000 }, () => new Error("away"));
  writes.put("a", "1");
  await jest.advanceTimersByTimeAsync(300_000);
  failures = [];
  await jest.advanceTimersByTimeAsync(5000);
  expect(written).toEqual(["a=1"]);
});

test("CoalescedWrites: a value that is not worth another try is given up", async () => {
  failures = [new Error("gone")];
  isWorthRetrying = false;
  writes.put("a", "1");
  await jest.advanceTimersByTimeAsync(120_000);
  expect(written).toEqual([]);
});

test("CoalescedWrites: never more at once than the limit, and close() waits for what is under way only", async () => {
  const running: PromiseWithResolvers<void>[] = [];
  const limited = new CoalescedWrites<string>({
    write: () => {
      const one = Promise.withResolvers<void>();
      running.push(one);
      return one.promise;
    },
    onFailure: () => false,
    isSame: () => false,
    intervalMs: 0,
    limit: 2,
  });
  for (const key of ["a", "b", "c"]) limited.put(key, "1");
  expect(running).toHaveLength(2);
  running[0]?.resolve();
  await jest.advanceTimersByTimeAsync(0);
  expect(running).toHaveLength(3);
  const closed = limited.close();
  limited.put("d", "1");
  for (const { resolve } of running) resolve();
  await closed;
  expect(running).toHaveLength(3);
});

test("CoalescedWrites: ten thousand at once are written at the pace, the urgent one first", async () => {
  const order: string[] = [];
  const paced = new CoalescedWrites<string>({
    write: async (key) => {
      order.push(key);
    },
    onFailure: () => true,
    isSame: (a, b) => a === b,
    intervalMs: 1000,
    limit: 8,
    pace: { burst: 50, perSecond: 100 },
    isUrgent: (value) => value === "urgent",
  });
  for (let i = 0; i < 10_000; i += 1) paced.put(`${i}`, "1");
  await jest.advanceTimersByTimeAsync(0);
  expect(order).toHaveLength(50);
  paced.put("late", "urgent");
  await jest.advanceTimersByTimeAsync(1000);
  expect(order.length).toBeGreaterThanOrEqual(149);
  expect(order.length).toBeLessThanOrEqual(151);
  expect(order[50]).toBe("late");
  await jest.advanceTimersByTimeAsync(100_000);
  expect(new Set(order).size).toBe(10_001);
  expect(order).toHaveLength(10_001);
  await paced.close();
});
