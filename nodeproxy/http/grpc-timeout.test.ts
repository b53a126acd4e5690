import { expect, test } from "@jest/globals";
import { grpcTimeoutOf, shorterTimeout } from "./grpc-timeout.ts";

test.each([
  ["1H", 3_600_000],
  ["2M", 120_000],
  ["3S", 3_000],
  ["250m", 250],
  ["1500u", 2],
  ["1n", 1],
  ["0S", 1],
  // Beyond what a timer can wait for.
  ["99999999H", 0],
  ["123456789m", 0],
  ["5", 0],
  ["5 S", 0],
  ["-5S", 0],
  ["5s", 0],
  ["", 0],
])("grpcTimeoutOf(): %j is %d ms", (text, ms) => {
  expect(grpcTimeoutOf(["te", "trailers", "grpc-timeout", text])).toBe(ms);
});

test("shorterTimeout(): none is longer than any", () => {
  expect(shorterTimeout(0, 0)).toBe(0);
  expect(shorterTimeout(5, 0)).toBe(5);
  expect(shorterTimeout(0, 7)).toBe(7);
  expect(shorterTimeout(5, 7)).toBe(5);
});
