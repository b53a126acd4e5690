/** Properties that the algorithms must have, each asked as the balancer asks it. */
import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { hash32 } from "./hash.ts";
import { HashRing } from "./hash-ring.ts";
import { LeastLoaded } from "./least-loaded.ts";
import { LeastRecentlyUsed } from "./least-recently-used.ts";
import { Maglev } from "./maglev.ts";
import type { Ask, Picker, PickState } from "./picker.ts";
import { RandomChoice } from "./random-choice.ts";
import { RoundRobin } from "./round-robin.ts";
import { WeightedRoundRobin } from "./weighted-round-robin.ts";

const TABLE = 65_537;

/** The same sequence in every run: a test of chance must not fail by chance. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x9e3779b9) | 0;
    return hash32(String(state)) / 2 ** 32;
  };
}

interface Asked {
  readonly random?: () => number;
  readonly refused?: ReadonlySet<number>;
  readonly open?: readonly number[];
  readonly caller?: string;
}

function ask({ random = seeded(1), refused, open, caller = "" }: Asked = {}): Ask {
  return {
    accepts: (index) => !refused?.has(index),
    random,
    loadAt: (index) => open?.[index] ?? 0,
    callerHash: hash32(caller),
  };
}

function keysOf(count: number): readonly string[] {
  return Array.from({ length: count }, (_, i) => `10.0.${i >> 8}.${i & 255}:8080`);
}

function statesOf(weights: readonly number[]): readonly PickState[] {
  const keys = keysOf(weights.length);
  return weights.map((weight, i) => ({ key: keys[i] ?? "", weight, lastPick: 0, deadline: 0 }));
}

function tally(picker: Picker, of: Ask, { count, picks }: { count: number; picks: number }) {
  const counts = Array.from({ length: count }, () => 0);
  for (let i = 0; i < picks; i += 1) {
    const index = picker.pick(of);
    counts[index] = (counts[index] ?? 0) + 1;
  }
  return counts;
}

/** Of `picks` draws with that chance each. */
function threeSigma(picks: number, chance: number): number {
  return 3 * Math.sqrt(picks * chance * (1 - chance));
}

const callers = Array.from(
  { length: 20_000 },
  (_, i) => `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`,
);

/** Which key each caller goes to. */
function homes(picker: Picker, keys: readonly string[]): readonly string[] {
  return callers.map((caller) => keys[picker.pick(ask({ caller }))] ?? "");
}

const PICKERS: readonly (readonly [string, (count: number) => Picker])[] = [
  ["RoundRobin", (count) => new RoundRobin(count, 0)],
  ["LeastRecentlyUsed", (count) => new LeastRecentlyUsed(statesOf(keysOf(count).map(() => 1)))],
  ["RandomChoice", (count) => new RandomChoice(count)],
  [
    "WeightedRoundRobin",
    (count) => new WeightedRoundRobin(statesOf(keysOf(count).map((_, i) => 1 + (i % 9)))),
  ],
  ["LeastLoaded", (count) => new LeastLoaded(count)],
  ["HashRing", (count) => new HashRing(keysOf(count))],
  ["Maglev", (count) => new Maglev(keysOf(count), 251)],
];

for (const [name, create] of PICKERS) {
  test(`${name}: picks an acceptable member wherever there is one, and none where there is not`, () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 40 }),
        fc.array(fc.nat(40)),
        fc.nat(),
        (count, refused, seed) => {
          const picker = create(count);
          const out = new Set(refused);
          const of = ask({ random: seeded(seed), refused: out, caller: String(seed) });
          const good = keysOf(count).flatMap((_, i) => (out.has(i) ? [] : [i]));
          for (let i = 0; i < 20; i += 1) {
            const index = picker.pick(of);
            expect(good.length === 0 ? [-1] : good).toContain(index);
          }
        },
      ),
      { numRuns: 60 },
    );
  });
}

test("RoundRobin: gives every member its turn, and the part of one passed over to all others", () => {
  const picker = new RoundRobin(4, 2);
  expect([1, 2, 3, 4, 5].map(() => picker.pick(ask()))).toEqual([2, 3, 0, 1, 2]);
  const counts = tally(picker, ask({ refused: new Set([1]) }), { count: 4, picks: 300 });
  expect(counts).toEqual([100, 0, 100, 100]);
});

test("RandomChoice and LeastLoaded: members of equal load are chosen evenly, within 3 sigma", () => {
  for (const create of [RandomChoice, LeastLoaded]) {
    const [count, picks] = [20, 40_000];
    const counts = tally(new create(count), ask({ random: seeded(7) }), { count, picks });
    const outside = counts.filter(
      (one) => Math.abs(one - picks / count) > threeSigma(picks, 1 / count),
    );
    expect(outside).toEqual([]);
  }
});

test("LeastLoaded: keeps members within a few connections of each other, and spares a loaded one", () => {
  const open = Array.from({ length: 50 }, () => 0);
  const of = ask({ random: seeded(3), open });
  const picker = new LeastLoaded(open.length);
  for (let i = 0; i < 50 * 200; i += 1) {
    const index = picker.pick(of);
    open[index] = (open[index] ?? 0) + 1;
  }
  // Plain random would be some 45 on either side of 200 apart.
  expect(Math.max(...open) - Math.min(...open)).toBeLessThan(12);
  const loaded = [1000, 0, 0];
  expect(tally(picker3(), ask({ open: loaded }), { count: 3, picks: 1000 })[0]).toBe(0);
});

function picker3(): Picker {
  return new LeastLoaded(3);
}

test("LeastRecentlyUsed: who waited longest is next; a new member is next of all, also after a rebuild", () => {
  const states = statesOf([1, 1, 1]);
  const picker = new LeastRecentlyUsed(states);
  expect([0, 1, 2, 3].map(() => picker.pick(ask()))).toEqual([0, 1, 2, 0]);
  expect(picker.pick(ask({ refused: new Set([1]) }))).toBe(2);
  const fresh: PickState = { key: "new", weight: 1, lastPick: 0, deadline: 0 };
  const rebuilt = new LeastRecentlyUsed([...states, fresh]);
  expect([0, 1, 2, 3].map(() => rebuilt.pick(ask()))).toEqual([3, 1, 0, 2]);
});

test("WeightedRoundRobin: in each round every member comes as often as it weighs, and evenly", () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 12 }),
      (weights) => {
        const picker = new WeightedRoundRobin(statesOf(weights));
        const total = weights.reduce((sum, weight) => sum + weight, 0);
        const counts = tally(picker, ask(), { count: weights.length, picks: total * 10 });
        for (const [i, weight] of weights.entries()) {
          expect(Math.abs((counts[i] ?? 0) - weight * 10)).toBeLessThanOrEqual(1);
        }
      },
    ),
  );
  const picker = new WeightedRoundRobin(statesOf([1, 3]));
  const picks = Array.from({ length: 40 }, () => picker.pick(ask())).join("");
  expect(picks).not.toContain("00");
  expect(picks).not.toContain("11111");
});

test("WeightedRoundRobin: weights hold across rebuilds, and a newcomer does not catch up", () => {
  const states = statesOf([2, 1]);
  tally(new WeightedRoundRobin(states), ask(), { count: 2, picks: 3000 });
  const fresh: PickState = { key: "new", weight: 1, lastPick: 0, deadline: 0 };
  const rebuilt = new WeightedRoundRobin([...states, fresh]);
  const counts = tally(rebuilt, ask(), { count: 3, picks: 400 });
  for (const [i, wanted] of [200, 100, 100].entries()) {
    expect(Math.abs((counts[i] ?? 0) - wanted)).toBeLessThanOrEqual(2);
  }
});

test("HashRing: a member that goes moves its own callers alone, one that comes takes at most about its part", () => {
  fc.assert(
    fc.property(fc.integer({ min: 2, max: 30 }), fc.nat(), (count, seed) => {
      const keys = keysOf(count);
      const gone = keys[seed % count] ?? "";
      const rest = keys.filter((key) => key !== gone);
      const before = homes(new HashRing(keys), keys);
      const after = homes(new HashRing(rest), rest);
      const moved = before.filter((home, i) => home !== after[i]);
      // Both directions of one change: nobody moves who was not with the member that goes or comes.
      expect(moved.every((home) => home === gone)).toBe(true);
      expect(moved.length / callers.length).toBeLessThan(1.4 / count);
    }),
    { numRuns: 10 },
  );
});

test("HashRing: callers are spread over members within some ten percent", () => {
  const keys = keysOf(10);
  const counts = new Map<string, number>();
  for (const home of homes(new HashRing(keys), keys)) counts.set(home, (counts.get(home) ?? 0) + 1);
  const shares = keys.map((key) => ((counts.get(key) ?? 0) * keys.length) / callers.length);
  expect(Math.max(...shares)).toBeLessThan(1.35);
  expect(Math.min(...shares)).toBeGreaterThan(0.65);
});

test("Maglev: callers are spread within 3 sigma of chance, and at most 2 % of others move with a member", () => {
  for (const count of [3, 10, 40]) {
    const keys = keysOf(count);
    const gone = keys[count >> 1] ?? "";
    const rest = keys.filter((key) => key !== gone);
    const before = homes(new Maglev(keys, TABLE), keys);
    const after = homes(new Maglev(rest, TABLE), rest);
    const counts = keys.map((key) => before.filter((home) => home === key).length);
    const share = callers.length / count;
    const outside = counts.filter((one) => {
      return Math.abs(one - share) > 3 * Math.sqrt(share) + share / 50;
    });
    expect(outside).toEqual([]);
    const moved = before.filter((home, i) => home !== gone && home !== after[i]);
    expect(moved.length / callers.length).toBeLessThan(0.02);
  }
});

test("HashRing, Maglev: asking is bounded by the members, not by the table, where most are not acceptable", () => {
  const keys = keysOf(300);
  for (const picker of [new HashRing(keys), new Maglev(keys, TABLE)]) {
    let asked = 0;
    const chosen = picker.pick({
      ...ask({ caller: "10.0.0.1" }),
      accepts: (index) => {
        asked += 1;
        return index === 7;
      },
    });
    expect(chosen).toBe(7);
    expect(asked).toBeLessThanOrEqual(300 + 64);
  }
});

test("Maglev: every node has the same table, in whatever order it heard of the members", () => {
  const keys = keysOf(12);
  const shuffled = keys.toReversed();
  expect(homes(new Maglev(keys, TABLE), keys)).toEqual(
    homes(new Maglev(shuffled, TABLE), shuffled),
  );
  expect(homes(new HashRing(keys), keys)).toEqual(homes(new HashRing(shuffled), shuffled));
});
