import { expect, test } from "@jest/globals";
import { Guards } from "../resilience/guards.ts";
import { SharedGuards } from "./shared-guards.ts";
import { createTableMemory, SharedTable } from "./shared-table.ts";

const BREAKER = { consecutiveFailures: 2, openMs: 1_000, maxOpenMs: 1_000, halfOpenRequests: 1 };
const BUDGET = { percent: 50, intervalMs: 8_000, minRetries: 1 };

function createWorkers() {
  const memory = createTableMemory(2, "secret");
  const tables = [new SharedTable(memory, 0), new SharedTable(memory, 1)] as const;
  const [a, b] = tables.map((table) => new Guards(new SharedGuards(table, full)));
  if (!a || !b) throw new Error("no workers");
  return { a, b, tables, die: (worker: number) => new SharedTable(memory).forget(worker) };
}

function full(): never {
  throw new Error("full");
}

test("SharedGuards: a Service's budget of retries is one for all workers", () => {
  const { a, b } = createWorkers();
  // Of a time of this thread, that a part of the interval may begin within.
  const nowMs = performance.now();
  for (let i = 0; i < 4; i += 1) a.at("s").budget.requestBegan(BUDGET, nowMs);
  for (let i = 0; i < 2; i += 1) b.at("s").budget.requestBegan(BUDGET, nowMs);
  const taken = [a, b, a, b, a, b].map((one) => one.at("s").budget.tryTake(BUDGET, nowMs));
  expect(taken).toEqual([true, true, true, true, false, false]);
  expect(b.at("other").budget.tryTake(BUDGET, nowMs)).toBe(true);
  expect(a.at("s").budget.tryTake(BUDGET, nowMs + 9_000)).toBe(true);
});

test("SharedGuards: a Service's circuit is one for all workers, and a worker's death does not hold it open", () => {
  const { a, b, die } = createWorkers();
  const nowMs = performance.now();
  a.at("s").breaker.failed(BREAKER, "closed", nowMs);
  expect(b.at("s").breaker.failed(BREAKER, "closed", nowMs)).toBe(true);
  expect(a.at("s").breaker.tryPass(BREAKER, nowMs)).toBe(undefined);
  expect(a.at("other").breaker.tryPass(BREAKER, nowMs)).toBe("closed");
  // Kept in tenths of a second.
  const laterMs = nowMs + 1_100;
  expect(typeof a.at("s").breaker.tryPass(BREAKER, laterMs)).toBe("number");
  expect(b.at("s").breaker.tryPass(BREAKER, laterMs)).toBe(undefined);
  die(0);
  const pass = b.at("s").breaker.tryPass(BREAKER, laterMs + 1_100);
  expect(typeof pass).toBe("number");
  b.at("s").breaker.succeeded(BREAKER, pass ?? "closed");
  expect(b.at("s").breaker.tryPass(BREAKER, laterMs + 1_100)).toBe("closed");
});
