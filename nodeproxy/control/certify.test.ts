import { expect, test } from "@jest/globals";
import { pushbackMs } from "./certify.ts";

test.each([
  [null, 0],
  ["0", 0],
  ["1500", 1_500],
  ["60000", 60_000],
  ["60001", 60_000],
  ["999999999999", 60_000],
  ["-1", 60_000],
  ["", 60_000],
  ["1.5", 60_000],
  ["1e3", 60_000],
  ["soon", 60_000],
])("pushbackMs(): %j is %d ms", (trailer, expected) => {
  expect(pushbackMs(trailer)).toBe(expected);
});
