import { expect, test } from "@jest/globals";
import { OlderTunnelCounts } from "./older-tunnel-counts.ts";

const [OLD, NEW] = ["a".repeat(64), "b".repeat(64)];

test("than(): the tunnels of other issuers than the one of now; none where that is not said", () => {
  const counts = new OlderTunnelCounts();
  const issuers = [
    { issuer: OLD, count: 3 },
    { issuer: NEW, count: 7 },
  ];
  expect(counts.received({ kind: "tunnel_issuers", issuers }, NEW)).toBe(true);
  expect(counts.than(NEW)).toEqual([{ issuer: OLD, count: 3 }]);
  expect(counts.than(OLD)).toEqual([{ issuer: NEW, count: 7 }]);
  expect(counts.than("")).toEqual([]);
});

test("received(): tells only of changes among the older", () => {
  const counts = new OlderTunnelCounts();
  const older = { issuer: OLD, count: 3 };
  function tell(...issuers: readonly { issuer: string; count: number }[]): boolean {
    return counts.received({ kind: "tunnel_issuers", issuers }, NEW);
  }
  expect(tell({ issuer: NEW, count: 1 })).toBe(false);
  expect(tell(older, { issuer: NEW, count: 1 })).toBe(true);
  expect(tell(older, { issuer: NEW, count: 9 })).toBe(false);
  expect(tell({ issuer: NEW, count: 9 })).toBe(true);
  expect(counts.received({ kind: "alive" }, NEW)).toBe(false);
});

test("told(): waits for the first count, and no longer than its limit", async () => {
  await expect(new OlderTunnelCounts().told(1)).resolves.toBeUndefined();
  const counts = new OlderTunnelCounts();
  const told = counts.told(3_600_000);
  counts.received({ kind: "tunnel_issuers", issuers: [] }, NEW);
  await expect(told).resolves.toBeUndefined();
});
