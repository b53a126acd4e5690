import { expect, test } from "@jest/globals";
import { SeededRandom } from "../../test/fakes/seeded-random.ts";
import { drawFault } from "./draw-fault.ts";

const DELAY = { partsPerMillion: 250_000, delayMs: 30 };
const ABORT = { partsPerMillion: 1_000_000, status: 503, grpcStatus: undefined };

test("drawFault(): none and all are certain, and nothing is drawn without a fault", () => {
  expect(drawFault(undefined, () => 0)).toBe(undefined);
  const never = { delay: { ...DELAY, partsPerMillion: 0 }, abort: undefined };
  expect(drawFault(never, () => 0)).toBe(undefined);
  const always = { delay: undefined, abort: ABORT };
  expect(drawFault(always, () => 1 - 2 ** -53)).toEqual({ delayMs: 0, abort: ABORT });
});

test("drawFault(): a delay and an abort have chances of their own, each as large as it says", () => {
  const random = new SeededRandom(7);
  const fault = { delay: DELAY, abort: { ...ABORT, partsPerMillion: 500_000 } };
  const drawn = Array.from({ length: 10_000 }, () => drawFault(fault, () => random.next()));
  const delayed = drawn.filter((one) => one?.delayMs === 30).length;
  const both = drawn.filter((one) => one?.delayMs === 30 && one.abort).length;
  // Five sigma of binomial distributions of 10,000 with 1/4 and 1/8.
  expect(Math.abs(delayed - 2_500)).toBeLessThan(217);
  expect(Math.abs(both - 1_250)).toBeLessThan(166);
});
