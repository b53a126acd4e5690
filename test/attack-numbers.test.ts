/**
 * Holds the tests through real proxies to the numbers of the list of attacks: each of the groups on paths, on heads and on
 * tokens stands in the name of a test. A name begins with `attack 12:`, or with `attacks 9 and 11:`.
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

test.each([
  ["A, paths and URLs", 1, 17, [PATHS, HEADS_2]],
  ["B, hosts, methods and headers", 18, 33, [HEADS, HEADS_2]],
  ["C, tokens", 34, 48, [TOKENS, FORGER]],
])("attacks: each of group %s is made through real proxies", (...[, first, last, files]) => {
  const made = new Set(files.flatMap(numbersIn));
  const numbers = Array.from({ length: last - first + 1 }, (_each, i) => first + i);
  expect(numbers.filter((number) => !made.has(number))).toEqual([]);
});

test("attacks: no test is of an attack that is not of its group", () => {
  const numbers = [PATHS, HEADS, HEADS_2, TOKENS, FORGER].flatMap(numbersIn);
  expect(numbers.length).toBeGreaterThan(48);
  expect(numbers.filter((number) => number < 1 || number > 48)).toEqual([]);
});

/** Of names, not of comments. */
function numbersIn(file: string): readonly number[] {
  const names = readFileSync(file, "utf8").matchAll(/["`]attacks? (\d+)(?: and (\d+))?:? /g);
  return Array.from(names).flatMap(([, one, other]) =>
    [one, other].filter((text) => text !== undefined).map(Number),
  );
}
