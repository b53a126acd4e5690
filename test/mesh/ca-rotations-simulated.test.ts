/** A thousand rotations in simulated time, other ones at each run. `WEFT_SEED=1234` runs one world again. */
import { expect, test } from "@jest/globals";
import { simulateRotations } from "../fakes/rotation-worlds.ts";

const WORLDS = 40;
const ROTATIONS = 25;

test("RotationEngine: in 1,000 rotations no handshake fails that should succeed, and none succeeds that should fail", async () => {
  const seeds = Array.from({ length: WORLDS }, () => Math.trunc(Math.random() * 2 ** 31));
  const total = await simulateRotations({ seeds, rotations: ROTATIONS });
  const { worlds } = total;
  expect(total.exchanged).toBe(0);
  expect(total.complete + total.aborted).toBe(worlds * ROTATIONS);
  // Chances are such that these are far below what happens.
  expect(total.complete).toBeGreaterThan(worlds * 10);
  expect(total.aborted).toBeGreaterThan(worlds);
  expect(total.succeeded).toBeGreaterThan(worlds * ROTATIONS * 9 * 10);
  expect(total.refused).toBeGreaterThan(worlds * ROTATIONS * 3 * 10);
}, 600_000);
