import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { loadBySize, priorityLoad } from "./priority-load.ts";

// The table of Envoy's "Priority levels" page: two and three levels, in percent healthy.
const TABLE: readonly (readonly [healthy: readonly number[], shares: readonly number[]])[] = [
  [
    [100, 100],
    [100, 0],
  ],
  [
    [72, 100],
    [100, 0],
  ],
  [
    [71, 100],
    [99.4, 0.6],
  ],
  [
    [50, 100],
    [70, 30],
  ],
  [
    [25, 100],
    [35, 65],
  ],
  [
    [0, 100],
    [0, 100],
  ],
  [
    [25, 25],
    [50, 50],
  ],
  [
    [20, 20, 10],
    [40, 40, 20],
  ],
  [
    [100, 100, 100],
    [100, 0, 0],
  ],
  [
    [0, 100, 100],
    [0, 100, 0],
  ],
];

for (const [healthy, shares] of TABLE) {
  test(`priorityLoad(): tiers of ${healthy.join(", ")} % healthy take ${shares.join(", ")} %`, () => {
    const load = priorityLoad(healthy.map((one) => ({ healthy: one, total: 100 })));
    for (const [at, share] of shares.entries()) expect(load.shares[at]).toBeCloseTo(share, 6);
  });
}

test("priorityLoad(): all of the load is given out, and none to tiers without health while another has some", () => {
  const anyTier = fc
    .record({ total: fc.integer({ min: 1, max: 500 }), percent: fc.nat(100) })
    .map(({ total, percent }) => ({ total, healthy: Math.floor((total * percent) / 100) }));
  fc.assert(
    fc.property(fc.array(anyTier, { minLength: 1, maxLength: 5 }), (tiers) => {
      const { shares, isEnough } = priorityLoad(tiers);
      expect(shares.reduce((sum, share) => sum + share)).toBeCloseTo(100, 6);
      const all = tiers.reduce((sum, { healthy, total }) => sum + (140 * healthy) / total, 0);
      const isClose = Math.abs(all - 100) < 0.001;
      expect(isClose || isEnough === all > 100).toBe(true);
      const [least = 0] = shares
        .filter((_, at) => tiers[at]?.healthy === 0)
        .toSorted((a, b) => b - a);
      expect(all > 0 ? least : 0).toBeCloseTo(0, 6);
    }),
  );
});

test("loadBySize(): by the number of endpoints", () => {
  expect(
    loadBySize([
      { healthy: 0, total: 1 },
      { healthy: 0, total: 3 },
    ]),
  ).toEqual([25, 75]);
});
