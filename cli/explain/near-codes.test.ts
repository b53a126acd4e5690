import { expect, test } from "@jest/globals";
import { nearCodes } from "./near-codes.ts";

const CODES = ["denied_by_policy", "denied_by_peer", "policy_missing", "not_allowed", "cut"];

test.each([
  ["denied_by_polcy", ["denied_by_policy", "policy_missing", "denied_by_peer"].slice(0, 1)],
  ["Denied-By-Policy", ["denied_by_policy"]],
  ["notallowed", ["not_allowed"]],
])("nearCodes(): %s is first of all the code a few letters away", (word, [first]) => {
  expect(nearCodes(word, CODES)[0]).toBe(first);
});

test("nearCodes(): a part of a code finds all that have it, the shortest first", () => {
  expect(nearCodes("policy", CODES)).toEqual(["policy_missing", "denied_by_policy"]);
});

test("nearCodes(): what is like none finds none", () => {
  expect(nearCodes("zzzzzzzz", CODES)).toEqual([]);
  expect(nearCodes("", CODES)).toEqual([]);
});

test("nearCodes(): of many no more than five", () => {
  const many = Array.from({ length: 9 }, (_, i) => `denied_${i}`);
  expect(nearCodes("denied", many)).toHaveLength(5);
});
