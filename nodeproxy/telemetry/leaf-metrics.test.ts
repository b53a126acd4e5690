import { afterEach, beforeEach, expect, jest, test } from "@jest/globals";
import { Registry } from "prom-client";
import { exposeLeaves } from "./leaf-metrics.ts";

const HOUR_MS = 3_600_000;
const now = Date.UTC(2030, 0, 1);

beforeEach(() => {
  jest.useFakeTimers({ now });
});

afterEach(() => {
  jest.useRealTimers();
});

/** Made for `lifeHours`, with `leftHours` of it left. */
function leaf(lifeHours: number, leftHours: number) {
  const notAfterMs = now + leftHours * HOUR_MS;
  return { notBeforeMs: notAfterMs - lifeHours * HOUR_MS - 300_000, notAfterMs };
}

async function samples(leaves: readonly ReturnType<typeof leaf>[]): Promise<readonly string[]> {
  const registry = new Registry();
  let held = [leaf(24, 24)] as readonly ReturnType<typeof leaf>[];
  exposeLeaves(registry, () => held);
  await registry.metrics();
  held = leaves;
  const page = await registry.metrics();
  return page.split("\n").filter((line) => line.startsWith("weft_"));
}

test("exposeLeaves(): the least that any leaf has left, in seconds and of its life", async () => {
  expect(await samples([leaf(24, 18), leaf(1, 0.75), leaf(24, 6)])).toEqual([
    "weft_nodeproxy_leaves 3",
    "weft_nodeproxy_leaf_expiry_seconds 2700",
    "weft_nodeproxy_leaf_life_left_ratio 0.25",
  ]);
});

test("exposeLeaves(): of leaves of one minute the backdating is no part of their life", async () => {
  const [, , ratio] = await samples([leaf(1 / 60, 1 / 120)]);
  expect(ratio).toBe("weft_nodeproxy_leaf_life_left_ratio 0.5");
});

test("exposeLeaves(): over is 0 of its life and less than no second; no leaf is no sample", async () => {
  expect(await samples([leaf(24, -1)])).toEqual([
    "weft_nodeproxy_leaves 1",
    "weft_nodeproxy_leaf_expiry_seconds -3600",
    "weft_nodeproxy_leaf_life_left_ratio 0",
  ]);
  expect(await samples([])).toEqual(["weft_nodeproxy_leaves 0"]);
});
