import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { contentVersion } from "./resource-version.ts";

test("contentVersion(): is 16 digits that stay the same for ever", () => {
  // A changed value here means that every node is sent everything again at the next upgrade.
  expect(contentVersion({ a: [1, "x", true, null], b: Uint8Array.of(0, 255) })).toBe(
    "6a50be8d47259fef",
  );
});

test("contentVersion(): the order of keys does not matter, that of lists does", () => {
  expect(contentVersion({ a: 1, b: 2 })).toBe(contentVersion({ b: 2, a: 1 }));
  expect(contentVersion([1, 2])).not.toBe(contentVersion([2, 1]));
});

test("contentVersion(): different contents have different versions", () => {
  const seen = new Map<string, string>();
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const text = JSON.stringify(value, sortKeys);
      const version = contentVersion(value);
      expect(seen.get(version) ?? text).toBe(text);
      seen.set(version, text);
    }),
    { numRuns: 2000 },
  );
});

function sortKeys(_: string, value: unknown): unknown {
  if (typeof value === "number" && Object.is(value, -0)) return 0;
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}
