import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { NodeRate } from "./node-rate.ts";

test("take(): a burst at once, then one each interval, and another node is not concerned", () => {
  const rate = new NodeRate({ perSecond: 10, burst: 3 });
  expect([0, 1, 2, 3].map(() => rate.take("a", 1000))).toEqual([0, 0, 0, 100]);
  expect(rate.take("a", 1099)).toBe(1);
  expect([rate.take("a", 1100), rate.take("a", 1100)]).toEqual([0, 100]);
  expect(rate.take("b", 1000)).toBe(0);
  // Rested long, it has its burst again and no more.
  expect([0, 1, 2, 3].map(() => rate.take("a", 60_000))).toEqual([0, 0, 0, 100]);
});

test("take(): never more than burst and rate allow in any stretch, and who waits as told is served", () => {
  const gaps = fc.array(fc.nat(400), { minLength: 1, maxLength: 80 });
  const property = fc.property(gaps, fc.integer({ min: 1, max: 9 }), (gapsMs, burst) => {
    const rate = new NodeRate({ perSecond: 10, burst });
    const takenAt: number[] = [];
    let now = 0;
    for (const gapMs of gapsMs) {
      now += gapMs;
      const waitMs = rate.take("a", now);
      now += waitMs;
      if (waitMs > 0 && rate.take("a", now) !== 0) return false;
      takenAt.push(now);
    }
    return takenAt.every((from, i) =>
      takenAt.slice(i).every((to, more) => more + 1 <= burst + (to - from) / 100),
    );
  });
  expect(fc.check(property)).toMatchObject({ failed: false });
});

test("take(): nodes that are idle are forgotten", () => {
  const rate = new NodeRate({ perSecond: 10, burst: 3 });
  for (let node = 0; node < 100_000; node += 1) rate.take(`node-${node}`, node);
  expect(rate.size).toBeLessThan(3000);
});
