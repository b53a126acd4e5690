import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { isSampled } from "./is-sampled.ts";
import { randomId } from "./random-id.ts";

const ID = fc.stringMatching(/^[0-9a-f]{32}$/);
const MILLION = 1_000_000;

test("isSampled(): none of a share of 0, all of a share of a million", () => {
  fc.assert(
    fc.property(ID, (id) => {
      expect([isSampled(id, 0), isSampled(id, MILLION)]).toEqual([false, true]);
    }),
    { examples: [["0".repeat(32)], ["f".repeat(32)]] },
  );
});

test("isSampled(): what is sampled at a share is at each larger one", () => {
  const share = fc.integer({ min: 0, max: MILLION });
  fc.assert(
    fc.property(ID, share, share, (id, a, b) => {
      const [less, more] = [Math.min(a, b), Math.max(a, b)];
      expect(isSampled(id, less) && !isSampled(id, more)).toBe(false);
    }),
  );
});

test("isSampled(): the right-most 56 bits say it, and nothing else", () => {
  const [low, high] = ["7fffffffffffff", "80000000000000"] as const;
  for (const front of ["0".repeat(18), "f".repeat(18)]) {
    expect([low, high].map((end) => isSampled(`${front}${end}`, MILLION / 2))).toEqual([
      false,
      true,
    ]);
  }
});

test("randomId(): of the length that was asked for, sampled by its share", () => {
  const ids = Array.from({ length: 20_000 }, () => randomId(16));
  expect(new Set(ids).size).toBe(ids.length);
  expect(ids.every((id) => /^[0-9a-f]{32}$/.test(id))).toBe(true);
  // Six sigma of a share of 10 % are 255.
  const sampled = ids.filter((id) => isSampled(id, MILLION / 10)).length;
  expect(Math.abs(sampled - 2_000)).toBeLessThan(300);
  expect(randomId(8)).toHaveLength(16);
});
