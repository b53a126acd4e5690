import { expect, test } from "@jest/globals";
import { changedConditions } from "./conditions.ts";
import { type AppliedByNode, enforcedCondition } from "./enforcement.ts";
import { formatApplied, parseApplied } from "./node-report-object.ts";

const KEY = "policy shop/deny";

function holding(version: string, refused: AppliedByNode["refused"] = []): AppliedByNode {
  return { held: new Map([[KEY, { version }]]), refused };
}

function proof(node: string) {
  return { node, key: KEY, version: "v2" };
}

const NONE: ReadonlyMap<string, number> = new Map();
const REFUSAL = { kind: "policy", name: "shop/deny", reason: "too_many_rules" } as const;

const CASES: readonly (readonly [string, Readonly<Record<string, AppliedByNode>>, object])[] = [
  [
    "all nodes hold it",
    { a: holding("v2"), b: holding("v2") },
    { status: "True", reason: "Enforced", message: "2 of 2 nodes" },
  ],
  [
    "one holds the version before, one has no stream",
    { a: holding("v1") },
    {
      status: "False",
      reason: "Progressing",
      message: "0 of 2 nodes; waiting for a (behind), b (not connected)",
    },
  ],
  [
    "one node would not take it",
    { a: holding("v2"), b: holding("v1", [REFUSAL]) },
    {
      status: "False",
      reason: "RefusedByNode",
      message: "1 of 2 nodes; refused by b (too_many_rules)",
    },
  ],
];

test.each(CASES)("enforcedCondition(): %s", (_name, applied, expected) => {
  const state = {
    accepted: true,
    effect: "full" as const,
    proofs: [proof("a"), proof("b")],
    uncaptured: NONE,
  };
  const nodes = new Map(Object.entries(applied));
  expect(enforcedCondition(state, nodes)).toEqual({ type: "Enforced", ...expected });
});

test("enforcedCondition(): a node with several proofs counts once, and only with all of them", () => {
  const proofs = [proof("a"), { node: "a", key: "enrolment u", version: "1" }];
  const nodes = new Map([["a", holding("v2")]]);
  expect(
    enforcedCondition({ accepted: true, effect: "full" as const, proofs, uncaptured: NONE }, nodes)
      .message,
  ).toBe("0 of 1 nodes; waiting for a (behind)");
});

test("enforcedCondition(): a node that holds it and has not captured the pod does not enforce it", () => {
  const state = { accepted: true, effect: "full" as const, proofs: [proof("a"), proof("b")] };
  const nodes = new Map([
    ["a", holding("v2")],
    ["b", holding("v2")],
  ]);
  expect(enforcedCondition({ ...state, uncaptured: new Map([["b", 1]]) }, nodes)).toEqual({
    type: "Enforced",
    status: "False",
    reason: "NotCaptured",
    message: "1 of 2 nodes; not yet on b (1 pod is not captured)",
  });
});

test("enforcedCondition(): what cannot be evaluated is never called enforced, what nobody needs is", () => {
  const nodes = new Map([["a", holding("v2")]]);
  expect(
    enforcedCondition(
      { accepted: false, effect: "full" as const, proofs: [proof("a")], uncaptured: NONE },
      nodes,
    ),
  ).toMatchObject({
    status: "False",
    reason: "Invalid",
  });
  expect(
    enforcedCondition(
      { accepted: true, effect: "full" as const, proofs: [], uncaptured: NONE },
      nodes,
    ),
  ).toMatchObject({
    status: "True",
    reason: "NoWorkloads",
  });
});

test.each([
  ["dry_run", "DryRun"],
  ["after_restart", "RestartNeeded"],
] as const)(
  "enforcedCondition(): %s is not called enforced, though every node holds it",
  (effect, reason) => {
    const nodes = new Map([["a", holding("v2")]]);
    expect(
      enforcedCondition({ accepted: true, effect, proofs: [proof("a")], uncaptured: NONE }, nodes),
    ).toMatchObject({
      status: "False",
      reason,
    });
  },
);

test("parseApplied(): reads back what formatApplied() wrote, of the kinds that status asks for", () => {
  const held = new Map([
    [KEY, { version: "v2" }],
    ["workload u", { version: "v9" }],
    ["settings mesh", { version: "v3" }],
  ]);
  const applied = formatApplied(held);
  expect(applied).toEqual(["policy shop/deny@v2", "settings mesh@v3"]);
  expect([...(parseApplied({ applied })?.held ?? [])]).toEqual([
    [KEY, { version: "v2" }],
    ["settings mesh", { version: "v3" }],
  ]);
  expect(parseApplied({})).toBeUndefined();
});

const WANTED = { type: "Accepted", status: "True", reason: "Accepted", message: "" } as const;

test("changedConditions(): what is there already is not written again", () => {
  const now = Date.UTC(2030, 0, 1);
  const first = changedConditions(undefined, [WANTED], { generation: 3, now });
  expect(first).toEqual([
    { ...WANTED, observedGeneration: 3, lastTransitionTime: "2030-01-01T00:00:00Z" },
  ]);
  expect(changedConditions(first, [WANTED], { generation: 3, now: now + 9e6 })).toBeUndefined();
});

test("changedConditions(): lastTransitionTime moves with the status, not with the message", () => {
  const before = changedConditions(undefined, [WANTED], { generation: 1, now: 0 });
  const stamp = { generation: 2, now: 60_000 };
  const [told] = changedConditions(before, [{ ...WANTED, message: "new" }], stamp) ?? [];
  expect(told?.lastTransitionTime).toBe("1970-01-01T00:00:00Z");
  const [turned] = changedConditions(before, [{ ...WANTED, status: "False" }], stamp) ?? [];
  expect(turned?.lastTransitionTime).toBe("1970-01-01T00:01:00Z");
});

test("enforcedCondition(): what is refused and read as nothing is not enforced, and denies nothing", () => {
  const unused = { accepted: false, effect: "unused" as const, proofs: [], uncaptured: NONE };
  expect(enforcedCondition(unused, new Map())).toMatchObject({
    status: "False",
    reason: "Invalid",
    message: "not in force: all is as without it",
  });
  expect(enforcedCondition({ ...unused, refusal: "Conflicted" }, new Map())).toMatchObject({
    reason: "Conflicted",
  });
});
