/**
 * Holds the tests through real proxies to the numbers of the list of attacks: each of the groups on paths, heads, tokens,
 * framing and streams stands in the name of a test. A name begins with `attack 12:`, or with `attacks 9 and 11:`.
 */
import { readFileSync } from "node:fs";
import { expect, test } from "@jest/globals";

const PATHS = "test/netns/attacks-paths.test.ts";
const HEADS = "test/netns/attacks-heads.test.ts";
/** What only HTTP/2 can carry, of both groups. */
const HEADS_2 = "test/netns/attacks-heads-http2.test.ts";
const TOKENS = "test/netns/attacks-tokens.test.ts";
/** Used by the one before. */
const FORGER = "test/fakes/token-forger.ts";
const FRAMING = "test/netns/attacks-framing.test.ts";
const ANSWERS = "test/netns/attacks-answers.test.ts";
const STREAMS = "test/netns/attacks-streams.test.ts";
const WINDOWS = "test/netns/attacks-windows.test.ts";
const H2SPEC = "test/netns/h2spec.test.ts";
const ALL = [PATHS, HEADS, HEADS_2, TOKENS, FORGER, FRAMING, ANSWERS, STREAMS, WINDOWS, H2SPEC];

test.each([
  ["A, paths and URLs", 1, 17, [PATHS, HEADS_2]],
  ["B, hosts, methods and headers", 18, 33, [HEADS, HEADS_2]],
  ["C, tokens", 34, 48, [TOKENS, FORGER]],
  ["D, framing", 49, 59, [FRAMING, ANSWERS, STREAMS, WINDOWS]],
  ["E, HTTP/2", 60, 75, [STREAMS, WINDOWS, H2SPEC]],
])("attacks: each of group %s is made through real proxies", (...[, first, last, files]) => {
  const made = new Set(files.flatMap(numbersIn));
  const numbers = Array.from({ length: last - first + 1 }, (_each, i) => first + i);
  expect(numbers.filter((number) => !made.has(number))).toEqual([]);
});

test("attacks: no test is of an attack that is not of its group", () => {
  const numbers = ALL.flatMap(numbersIn);
  expect(numbers.length).toBeGreaterThan(75);
  expect(numbers.filter((number) => number < 1 || number > 75)).toEqual([]);
});

/** Of names, not of comments. */
function numbersIn(file: string): readonly number[] {
  const names = readFileSync(file, "utf8").matchAll(/["`]attacks? (\d+)(?: and (\d+))?:? /g);
  return Array.from(names).flatMap(([, one, other]) =>
    [one, other].filter((text) => text !== undefined).map(Number),
  );
}
