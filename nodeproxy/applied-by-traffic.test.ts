import { expect, test } from "@jest/globals";
import { AppliedByTraffic } from "./applied-by-traffic.ts";

const NOTHING = { upserts: [], removals: [] };

function isSettled(applied: AppliedByTraffic): Promise<boolean> {
  return Promise.race([
    applied.settled().then(() => true),
    new Promise<boolean>((resolve) => setImmediate(resolve, false)),
  ]);
}

test("AppliedByTraffic: settled once the last changes are applied, whatever came before them", async () => {
  const told: number[] = [];
  const applied = new AppliedByTraffic(({ sequence = 0 }) => told.push(sequence) > 0);
  expect(await isSettled(applied)).toBe(true);
  for (let i = 0; i < 2; i += 1) applied.tell(NOTHING);
  const [first = 0, second = 0] = told;
  applied.received({ kind: "applied", sequence: first });
  expect(await isSettled(applied)).toBe(false);
  applied.received({ kind: "applied", sequence: second + 1 });
  applied.received({ kind: "drained" });
  expect(await isSettled(applied)).toBe(false);
  applied.received({ kind: "applied", sequence: second });
  expect(await isSettled(applied)).toBe(true);
});

test("AppliedByTraffic: where no traffic process is, or it goes away, nothing is waited for", async () => {
  let isThere = false;
  const applied = new AppliedByTraffic(() => isThere);
  applied.tell(NOTHING);
  expect(await isSettled(applied)).toBe(true);
  isThere = true;
  applied.tell(NOTHING, { complete: true });
  const settled = isSettled(applied);
  applied.gone();
  expect(await settled).toBe(true);
});
