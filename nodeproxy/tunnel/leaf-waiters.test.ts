import { afterEach, expect, jest, test } from "@jest/globals";
import type { ClientTlsOptions } from "../identity/tls-context.ts";
import { LeafWaiters } from "./leaf-waiters.ts";

const OPTIONS = { notAfterMs: 1 } as ClientTlsOptions;
const IDENTITY = "spiffe://cluster.local/ns/shop/sa/a";

afterEach(() => {
  jest.useRealTimers();
});

for (const order of [
  ["leaf", "roots"],
  ["roots", "leaf"],
] as const) {
  test(`wait(): ends once both are there, ${order.join(" before ")}`, async () => {
    const there = new Set<string>();
    const waiters = new LeafWaiters(() => (there.size === 2 ? OPTIONS : undefined), 60_000);
    const waiting = waiters.wait(IDENTITY);
    for (const part of order) {
      there.add(part);
      waiters.wake();
    }
    expect(await waiting).toBe(OPTIONS);
  });
}

test("wait(): a leaf that is there already is not waited for", async () => {
  const waiters = new LeafWaiters(() => OPTIONS, 60_000);
  expect(await waiters.wait(IDENTITY)).toBe(OPTIONS);
});

test("wait(): the leaf of another identity wakes nobody else", async () => {
  const held = new Set<string>();
  const waiters = new LeafWaiters((id) => (held.has(id) ? OPTIONS : undefined), 60_000);
  const ended: string[] = [];
  const mine = waiters.wait(IDENTITY).then(() => ended.push("mine"));
  const other = waiters.wait("other").then(() => ended.push("other"));
  held.add("other");
  waiters.wake();
  await other;
  expect(ended).toEqual(["other"]);
  held.add(IDENTITY);
  waiters.wake();
  await mine;
});

test("wait(): ends without one after the limit, and at close", async () => {
  jest.useFakeTimers();
  const waiters = new LeafWaiters(() => undefined, 5_000);
  const late = waiters.wait(IDENTITY);
  jest.advanceTimersByTime(5_000);
  expect(await late).toBeUndefined();
  const closed = waiters.wait(IDENTITY);
  waiters.close();
  expect(await closed).toBeUndefined();
});
