/** In simulated time. */
import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { RetryBudget } from "./retry-budget.ts";

const SETTINGS = { percent: 20, intervalMs: 8_000, minRetries: 3 };

function began(budget: RetryBudget, count: number, nowMs: number): void {
  for (let i = 0; i < count; i += 1) budget.requestBegan(SETTINGS, nowMs);
}

/** How many of `count` may be sent. */
function taken(budget: RetryBudget, count: number, nowMs: number): number {
  return Array.from({ length: count }, () => budget.tryTake(SETTINGS, nowMs)).filter(Boolean)
    .length;
}

test("RetryBudget: a fifth of the requests and three beside, and again when the interval is over", () => {
  const budget = new RetryBudget();
  expect(taken(budget, 9, 500)).toBe(3);
  began(budget, 100, 600);
  expect(taken(budget, 99, 700)).toBe(20);
  // The requests count no more than an interval, the retries all of it.
  expect(taken(budget, 9, 8_400)).toBe(0);
  expect(taken(budget, 9, 8_999)).toBe(0);
  expect(taken(budget, 9, 9_000)).toBe(3);
  began(budget, 4, 900_000);
  expect(taken(budget, 9, 900_000)).toBe(3);
  began(budget, 1, 900_001);
  expect(taken(budget, 9, 900_001)).toBe(1);
});

test("RetryBudget: settings hold as they are now", () => {
  const budget = new RetryBudget();
  const none = { ...SETTINGS, percent: 0, minRetries: 0 };
  began(budget, 100, 0);
  expect(budget.tryTake(none, 0)).toBe(false);
  expect(budget.tryTake({ ...none, percent: 1 }, 0)).toBe(true);
  expect(budget.tryTake({ ...none, percent: 1 }, 0)).toBe(false);
  expect(budget.tryTake({ ...none, minRetries: 2 }, 0)).toBe(true);
});

test("RetryBudget: a backend that fails whatever it is sent gets a fifth more, for as long as that lasts", () => {
  const settings = { ...SETTINGS, minRetries: 0 };
  const budget = new RetryBudget();
  let retries = 0;
  let requests = 0;
  for (let nowMs = 0; nowMs < 120_000; nowMs += 7) {
    budget.requestBegan(settings, nowMs);
    requests += 1;
    for (let attempt = 0; attempt < 5; attempt += 1) {
      if (budget.tryTake(settings, nowMs)) retries += 1;
    }
  }
  expect(retries).toBeLessThanOrEqual(requests * 0.2);
  expect(retries).toBeGreaterThan(requests * 0.15);
});

test("RetryBudget: in no interval that ends with a retry are there more than the share of its requests and the few beside", () => {
  const settings = fc.record({
    percent: fc.integer({ min: 0, max: 100 }),
    intervalMs: fc.integer({ min: 1_000, max: 30_000 }),
    minRetries: fc.nat(5),
  });
  const steps = fc.array(
    fc.record({ waitMs: fc.nat(4_000), requests: fc.nat(20), wishes: fc.nat(10) }),
    { maxLength: 60 },
  );
  fc.assert(
    fc.property(settings, steps, fc.nat(1e9), (said, all, beginMs) => {
      const budget = new RetryBudget();
      const requests: number[] = [];
      const retries: number[] = [];
      let nowMs = beginMs;
      for (const step of all) {
        nowMs += step.waitMs;
        for (let i = 0; i < step.requests; i += 1) {
          budget.requestBegan(said, nowMs);
          requests.push(nowMs);
        }
        for (let i = 0; i < step.wishes; i += 1) {
          if (!budget.tryTake(said, nowMs)) continue;
          retries.push(nowMs);
          const fromMs = nowMs - said.intervalMs;
          const most = (countSince(requests, fromMs) * said.percent) / 100 + said.minRetries;
          expect(countSince(retries, fromMs)).toBeLessThanOrEqual(most);
        }
      }
    }),
  );
});

/** After that moment. */
function countSince(times: readonly number[], fromMs: number): number {
  return times.filter((atMs) => atMs > fromMs).length;
}
