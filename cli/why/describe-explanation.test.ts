import { expect, test } from "@jest/globals";
import type { Explanation, PolicyTrace } from "../../nodeproxy/authz/explain.ts";
import { describeExplanation } from "./describe-explanation.ts";
import { choosePaint } from "./paint.ts";

const PLAIN = choosePaint({});

function trace(policy: string, more: Partial<PolicyTrace> = {}): PolicyTrace {
  const flags = { dryRun: false, invalid: false, matched: false };
  return { policy, action: "ALLOW", ...flags, rules: [], ...more };
}

function lines(policies: readonly PolicyTrace[], deciding = ""): readonly string[] {
  const explanation: Explanation = { outcome: { kind: "permit" }, observed: [], policies };
  return describeExplanation(explanation, deciding, PLAIN);
}

test("describeExplanation(): the deciding policy first, then what matches, then CUSTOM, DENY, ALLOW, AUDIT, dry runs last", () => {
  const policies = [
    trace("a/allow"),
    trace("a/deny", { action: "DENY" }),
    trace("a/audit", { action: "AUDIT", matched: true }),
    trace("a/custom", { action: "CUSTOM", provider: "opa" }),
    trace("a/trial", { action: "DENY", dryRun: true }),
    trace("a/decides", { matched: true }),
    trace("a/untold", { untold: 3 }),
  ];
  expect(lines(policies, "a/decides")).toEqual([
    "ALLOW a/decides matches, decides, no rule, so it matches nothing",
    "AUDIT a/audit matches, audit: never decides, no rule, so it matches nothing",
    "CUSTOM a/custom does not match, asks opa, no rule, so it matches nothing",
    "DENY a/deny does not match, no rule, so it matches nothing",
    "ALLOW a/allow does not match, no rule, so it matches nothing",
    "ALLOW a/untold does not match, rules that are not shown: 3",
    "DENY a/trial does not match, dry run: never decides, no rule, so it matches nothing",
  ]);
});

test("describeExplanation(): a clause shows what was wanted and seen, or that it could not be", () => {
  const clauses = [
    { field: "paths", wanted: ["/a", "/b"], seen: ["/\u001b[31m"], outcome: "no_match" },
    { field: "ports", wanted: ["80"], seen: ["80"], outcome: "match" },
    { field: "hosts", wanted: ["x"], seen: [], outcome: "unseen" },
    {
      field: "methods",
      wanted: ["a", "b", "c", "d", "e", "f", "g", "h"],
      seen: [],
      outcome: "no_match",
    },
  ] as const;
  const rule = { index: 1, matched: false, dropped: false, failed: ["to"], from: [], when: [] };
  const to = [{ matched: false, clauses }];
  expect(lines([trace("a/b", { rules: [{ ...rule, to }] })])).toEqual([
    "ALLOW a/b does not match",
    "  rule 1 does not match: to does not",
    "    - to[0] paths: wants /a | /b, sees /\\u001b[31m",
    "    + to[0] ports: wants 80, sees 80",
    "    ? to[0] hosts: wants x, cannot be seen on this port",
    "    - to[0] methods: wants a | b | c | d | e | f and 2 more, sees nothing",
  ]);
});

test("describeExplanation(): a rule without anything, one that is dropped, and one of an invalid policy", () => {
  const rule = { index: 0, matched: true, dropped: false, failed: [], from: [], to: [], when: [] };
  const dropped = { ...rule, index: 1, matched: false, dropped: true };
  const invalid = trace("a/c", { invalid: true, matched: true, rules: [{ ...rule, index: -1 }] });
  expect(lines([trace("a/b", { matched: true, rules: [rule, dropped] }), invalid])).toEqual([
    "ALLOW a/b matches",
    "  rule 0 matches",
    "    asks for nothing: every call matches",
    "  rule 1 does not match: dropped, it asks for what cannot be seen on this port",
    "    asks for nothing: every call matches",
    "ALLOW a/c matches, cannot be evaluated",
    "  rule: all that it selects matches",
  ]);
});

test("describeExplanation(): of many that do not match twenty are shown, of those that do all", () => {
  const many = Array.from({ length: 50 }, (_, i) => trace(`a/${i}`, { matched: i < 25 }));
  const shown = lines(many);
  expect(shown.filter((line) => line.includes(" matches")).length).toBeGreaterThanOrEqual(25);
  expect(shown.at(-1)).toBe("and 5 more that do not match: --json has them");
  expect(lines([])).toEqual(["no policy applies to the pod"]);
});

test("choosePaint(): colours on a terminal that wants them, nowhere else", () => {
  expect(choosePaint({ isTTY: true, hasColors: () => true })("bad", "x")).toBe(
    "\u001b[31mx\u001b[0m",
  );
  expect(choosePaint({ isTTY: true, hasColors: () => false })("bad", "x")).toBe("x");
  expect(choosePaint({ hasColors: () => true })("bad", "x")).toBe("x");
});
