/**
 * A whole mesh of processes under load: readers that stall hold little memory, and neither a bulk transfer nor a flood
 * of connections keeps others waiting.
 */
import { spawnSync } from "node:child_process";
import { beforeAll, expect, test } from "@jest/globals";
import { sized } from "../soak.ts";
import type { LoadOutcome, LoadWish } from "./load/outcome.ts";

const LIMIT_MS = sized(240_000, 900_000);
const WISH: LoadWish = {
  connections: sized(200, 1_000),
  megabytes: 100,
  rounds: sized(3, 9),
  requests: sized(150, 500),
};
/** Of one connection, in one node proxy: its window, what waits for the kernel or the tunnel, and its objects. */
const STALLED_KB = 260;
/** Resident, of a traffic process with a thousand of them. */
const RESIDENT_KB = 300_000;
/** Shorter ones are taken for as long: kernel threads that carry packets are not among what goes before all else. */
const LEAST_MS = sized(10, 2);
let outcome: LoadOutcome;

beforeAll(() => {
  const done = spawnSync(process.execPath, ["test/netns/load/main.ts", JSON.stringify(WISH)], {
    encoding: "utf8",
    timeout: LIMIT_MS,
  });
  if (done.status !== 0) throw new Error(`exit ${done.status}\n${done.stderr}`);
  outcome = JSON.parse(done.stdout) as LoadOutcome;
  // Figures for whoever compares machines; the tests below judge ratios and bounds.
  process.stdout.write(`${JSON.stringify(outcome)}\n`);
}, LIMIT_MS + 10_000);

for (const direction of ["upload", "download"] as const) {
  test(`${WISH.connections} connections whose reader stalls in the ${direction} hold little in either node proxy`, () => {
    const { after, offeredMB } = outcome[direction];
    // They do stall: what was taken lies in the kernel's buffers, for the most part, and is no more than those hold.
    expect(offeredMB).toBeLessThan((WISH.connections * WISH.megabytes) / 4);
    expect(after).toHaveLength(2);
    for (const { trafficKB } of after) expect(trafficKB).toBeLessThan(RESIDENT_KB);
  });
}

// Of the first ones only: the others find memory that is used again.
test(`a connection whose reader stalls holds at most ${STALLED_KB} KB in either node proxy`, () => {
  const { half, after, connections } = outcome.upload;
  const grown = after.map(({ trafficKB }, i) => trafficKB - (half[i]?.trafficKB ?? 0));
  expect(grown).toHaveLength(2);
  for (const kilobytes of grown) expect(kilobytes / (connections / 2)).toBeLessThan(STALLED_KB);
});

test("a bulk transfer in the same tunnel delays small requests at most twice as much as one in another tunnel", () => {
  const { besideOwnBulk, besideOthersBulk, bulkMB } = outcome.latencies;
  expect(bulkMB).toBeGreaterThan(0);
  expect(besideOwnBulk).toBeLessThan(2 * Math.max(besideOthersBulk, LEAST_MS));
});

test("a bulk transfer, of the own tunnel or another pod's, keeps small requests waiting little longer than alone", () => {
  const { alone, besideOwnBulk, besideOthersBulk } = outcome.latencies;
  const most = sized(4, 2) * Math.max(alone, LEAST_MS);
  expect(besideOwnBulk).toBeLessThan(most);
  expect(besideOthersBulk).toBeLessThan(most);
});

test("a pod that transfers on many connections at once does not hold up another's requests", () => {
  const { alone, besideOthersMany } = outcome.latencies;
  expect(besideOthersMany).toBeLessThan(10 * Math.max(alone, LEAST_MS));
});

test("a pod that opens connections without end does not hold up another's requests", () => {
  const { alone, besideFlood, floodCalls } = outcome.latencies;
  expect(floodCalls).toBeGreaterThan(0);
  expect(besideFlood).toBeLessThan(sized(8, 3) * Math.max(alone, LEAST_MS));
});
