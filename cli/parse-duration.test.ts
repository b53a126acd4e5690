import { expect, test } from "@jest/globals";
import { formatDuration } from "./format-duration.ts";
import { parseDurationSeconds } from "./parse-duration.ts";

test.each([
  ["90", 90],
  ["90s", 90],
  ["10m", 600],
  ["1h30m", 5400],
  ["1h0m5s", 3605],
  ["0.5", 0.5],
])("parseDurationSeconds(): %s", (text, seconds) => {
  expect(parseDurationSeconds(text)).toBe(seconds);
});

test.each(["", "never", "10 m", "-5s", "5s1m", "1d", "1e3", "m"])(
  "parseDurationSeconds(): %j is none",
  (text) => {
    expect(parseDurationSeconds(text)).toBeUndefined();
  },
);

test.each([
  [0, "0s"],
  [59.9, "59s"],
  [61, "1m 1s"],
  [3600, "1h"],
  [36_000 + 65, "10h 1m"],
  [-90, "-1m 30s"],
  [366 * 86_400 + 5, "1y 1d"],
])("formatDuration(): %d seconds in two units", (seconds, text) => {
  expect(formatDuration(seconds)).toBe(text);
});
