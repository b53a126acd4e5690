/**
 * Holds the tests of the policy language to the ids of its design: each stands in the name of a case of the evaluator and
 * of one through real proxies. What is excepted is named here with its reason, and printed.
 */
import { readFileSync } from "node:fs";
import { expect, test } from "@jest/globals";
import { CASE_IDS } from "./policy-cases/case-ids.ts";

/** Both the evaluator and real proxies are put to these. */
const TABLES = [
  "test/policy-cases/cases-of-order-and-identity.ts",
  "test/policy-cases/cases-of-place-and-reading.ts",
];
const EVALUATOR = [
  ...TABLES,
  "test/policy-semantics.test.ts",
  "test/policy-requests.test.ts",
  "test/policy-damaged.test.ts",
  "test/peer-authentication.test.ts",
  "nodeproxy/authz/decide.test.ts",
  "nodeproxy/jwt/authenticate.test.ts",
  "operator/index/cluster-index.test.ts",
];
const THROUGH_PROXIES = [
  ...TABLES,
  "test/netns/policies-through-proxies.test.ts",
  "test/netns/policies-over-http.test.ts",
  "test/netns/restart.test.ts",
];

/** No verdict on one attempt. */
const NOT_OF_THE_EVALUATOR: Readonly<Record<string, readonly string[]>> = {
  "the way to the pod, which the evaluator never hears of": ["C6", "C7"],
  "requests of one connection, upgrades and the words of a refusal": ["D13", "D14", "D15"],
  "what becomes of open and of next connections": ["F15", "G1", "G2", "G3"],
};
const NOT_THROUGH_PROXIES: Readonly<Record<string, readonly string[]>> = {};

test.each([
  ["the evaluator", EVALUATOR, NOT_OF_THE_EVALUATOR],
  ["real proxies", THROUGH_PROXIES, NOT_THROUGH_PROXIES],
])("case ids: %s has a case of each that is not excepted", (name, files, exceptions) => {
  const tagged = new Set(files.flatMap(tagsIn));
  const lacking = CASE_IDS.filter((id) => !tagged.has(id));
  for (const [why, ids] of Object.entries(exceptions)) {
    const still = ids.filter((id) => lacking.includes(id));
    if (still.length > 0)
      process.stderr.write(`case ids: not put to ${name} (${why}): ${still.join(", ")}\n`);
  }
  const excepted = Object.values(exceptions).flat();
  expect(lacking.filter((id) => !excepted.includes(id))).toEqual([]);
});

test("case ids: no tag names a case that there is not", () => {
  const tags = [...EVALUATOR, ...THROUGH_PROXIES].flatMap(tagsIn);
  expect(tags.length).toBeGreaterThan(CASE_IDS.length);
  expect(tags.filter((tag) => !CASE_IDS.includes(tag))).toEqual([]);
});

/** Of names, not of comments. */
function tagsIn(file: string): readonly string[] {
  const lines = readFileSync(file, "utf8").split("\n");
  const code = lines.filter((line) => !/^\s*(?:\/\/|\/?\*)/.test(line)).join("\n");
  return [...code.matchAll(/\[([A-G]\d+)\]/g)].map(([, id = ""]) => id);
}
