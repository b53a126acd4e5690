import { expect, test } from "@jest/globals";
import { Latency } from "./latency.ts";

test("Latency: a slow answer counts at once, and a fast one only bit by bit", () => {
  const latency = new Latency();
  latency.observe(10, 0);
  for (let nowMs = 0; nowMs < 100_000; nowMs += 100) latency.observe(10, nowMs);
  expect(latency.cost(0, 100_000)).toBeCloseTo(10, 0);
  latency.observe(500, 100_000);
  expect(latency.cost(0, 100_000)).toBe(500);
  latency.observe(10, 100_001);
  expect(latency.cost(0, 100_001)).toBeGreaterThan(490);
});

test("Latency: what is under way multiplies it, and it falls while nothing is heard", () => {
  const latency = new Latency();
  latency.observe(100, 5_000);
  expect(latency.cost(3, 5_000)).toBe(400);
  expect(latency.cost(0, 15_000)).toBeCloseTo(100 / Math.E);
  // A clock that is read out of order takes nothing away.
  latency.observe(200, 4_000);
  expect(latency.cost(0, 5_000)).toBe(200);
});

test("Latency: who has not answered yet is asked once, and by others only when nobody has", () => {
  const [unknown, slow] = [new Latency(), new Latency()];
  slow.observe(60_000, 0);
  expect(unknown.cost(0, 0)).toBe(0);
  expect(unknown.cost(1, 0)).toBeGreaterThan(slow.cost(1_000, 0));
  expect(unknown.cost(2, 0)).toBeGreaterThan(unknown.cost(1, 0));
});
