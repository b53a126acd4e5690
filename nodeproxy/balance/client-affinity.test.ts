import { expect, test } from "@jest/globals";
import { ClientAffinity } from "./client-affinity.ts";

test("ClientAffinity: a bond holds until its time, and no longer", () => {
  const affinity = new ClientAffinity();
  affinity.bind("10.0.0.1", { endpoint: 1, untilMs: 100 });
  expect(affinity.find("10.0.0.1", 99)).toBe(1);
  expect(affinity.find("10.0.0.2", 99)).toBeUndefined();
  expect(affinity.find("10.0.0.1", 100)).toBeUndefined();
});

test("ClientAffinity: of too many callers the one that was longest away is forgotten", () => {
  const affinity = new ClientAffinity();
  for (let i = 0; i < 10_000; i += 1) affinity.bind(`c${i}`, { endpoint: 1, untilMs: 100 });
  affinity.bind("c0", { endpoint: 2, untilMs: 100 });
  affinity.bind("one more", { endpoint: 3, untilMs: 100 });
  expect(affinity.find("c1", 0)).toBeUndefined();
  expect(["c0", "c2", "one more"].map((caller) => affinity.find(caller, 0))).toEqual([2, 1, 3]);
});
