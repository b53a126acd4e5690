import { expect, test } from "@jest/globals";
import { checkClock } from "./clock.ts";

const NOW = Date.UTC(2030, 0, 1);

function levels(...aheadSeconds: readonly number[]): readonly string[] {
  const leases = aheadSeconds.map((seconds, i) => ({
    metadata: { name: `node${i}` },
    spec: { renewTime: new Date(NOW + seconds * 1000).toISOString() },
  }));
  return checkClock(leases, NOW).map(({ level, message }) => `${level} ${message}`);
}

test("checkClock(): clocks within half of a certificate's backdating agree", () => {
  expect(levels(-20, 0, 149)).toEqual(["ok 3 nodes agree with this machine"]);
});

test("checkClock(): each node that is ahead, or behind or away, is named with the seconds", () => {
  expect(levels(0, 200, -300)).toEqual([
    "warn the clock of node1 is 200 s ahead of this machine's",
    "warn node2 last wrote its lease 300 s ago by this machine's clock: it is away, or its clock is behind",
  ]);
});

test("checkClock(): a lease without a time counts for nothing", () => {
  expect(checkClock([{ metadata: { name: "a" } }], NOW)).toMatchObject([
    { message: "0 nodes agree with this machine" },
  ]);
});
