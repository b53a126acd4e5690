/**
 * Some worlds of rotations in simulated time: those that failed once. Whole thousands of rotations, with other seeds each
 * time, are `test/mesh/ca-rotations-simulated.test.ts`.
 */
import { expect, test } from "@jest/globals";
import { simulateRotations } from "../../../test/fakes/rotation-worlds.ts";

const ROTATIONS = 25;
const SEEDS = [878_872_833, 1_012_272_110, 1_675_669_781, 336_702_738];

test("RotationEngine: in worlds that failed once every handshake is as it should be", async () => {
  const total = await simulateRotations({ seeds: SEEDS, rotations: ROTATIONS });
  expect(total.complete + total.aborted).toBe(total.worlds * ROTATIONS);
  expect(total.succeeded).toBeGreaterThan(total.worlds * ROTATIONS * 9 * 10);
}, 60_000);
