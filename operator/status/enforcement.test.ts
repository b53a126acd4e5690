import { expect, test } from "@jest/globals";
import { changedStatus } from "./conditions.ts";
import { type AppliedByNode, enforcementOf } from "./enforcement.ts";
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
  [
    "one node holds it and cannot read it whole",
    { a: holding("v2"), b: holding("v2?", [REFUSAL]) },
    {
      status: "False",
      reason: "UnreadByNode",
      message: "1 of 2 nodes; fails closed on b (too_many_rules)",
    },
  ],
  [
    "one node held the version before and could not read that",
    { a: holding("v2"), b: holding("v1?") },
    { status: "False", reason: "Progressing", message: "1 of 2 nodes; waiting for b (behind)" },
  ],
];

test.each(CASES)("enforcementOf(): %s", (_name, applied, expected) => {
  const state = {
    accepted: true,
    effect: "full" as const,
    proofs: [proof("a"), proof("b")],
    uncaptured: NONE,
  };
  const nodes = new Map(Object.entries(applied));
  expect(enforcementOf(state, nodes).condition).toEqual({ type: "Enforced", ...expected });
});

test("enforcementOf(): a node with several proofs counts once, and only with all of them", () => {
  const proofs = [proof("a"), { node: "a", key: "enrolment u", version: "1" }];
  const nodes = new Map([["a", holding("v2")]]);
  expect(
    enforcementOf({ accepted: true, effect: "full" as const, proofs, uncaptured: NONE }, nodes)
      .condition.message,
  ).toBe("0 of 1 nodes; waiting for a (behind)");
});

test("enforcementOf(): a node that holds it and has not captured the pod does not enforce it", () => {
  const state = { accepted: true, effect: "full" as const, proofs: [proof("a"), proof("b")] };
  const nodes = new Map([
    ["a", holding("v2")],
    ["b", holding("v2")],
  ]);
  expect(enforcementOf({ ...state, uncaptured: new Map([["b", 1]]) }, nodes).condition).toEqual({
    type: "Enforced",
    status: "False",
    reason: "NotCaptured",
    message: "1 of 2 nodes; not yet on b (1 pod is not captured)",
  });
});

test("enforcementOf(): what cannot be evaluated is never called enforced, what nobody needs is", () => {
  const nodes = new Map([["a", holding("v2")]]);
  expect(
    enforcementOf(
      { accepted: false, effect: "full" as const, proofs: [proof("a")], uncaptured: NONE },
      nodes,
    ).condition,
  ).toMatchObject({
    status: "False",
    reason: "Invalid",
  });
  expect(
    enforcementOf({ accepted: true, effect: "full" as const, proofs: [], uncaptured: NONE }, nodes)
      .condition,
  ).toMatchObject({
    status: "True",
    reason: "NoWorkloads",
  });
});

test.each([
  ["dry_run", "DryRun"],
  ["after_restart", "RestartNeeded"],
] as const)(
  "enforcementOf(): %s is not called enforced, though every node holds it",
  (effect, reason) => {
    const nodes = new Map([["a", holding("v2")]]);
    expect(
      enforcementOf({ accepted: true, effect, proofs: [proof("a")], uncaptured: NONE }, nodes)
        .condition,
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

const STATUS = { conditions: [WANTED], nodes: "1/1", ignored: [] };

test("changedStatus(): what is there already is not written again", () => {
  const now = Date.UTC(2030, 0, 1);
  const stamp = { generation: 3, now };
  const first = changedStatus(undefined, STATUS, stamp);
  expect(first).toEqual({
    observedGeneration: 3,
    conditions: [{ ...WANTED, observedGeneration: 3, lastTransitionTime: "2030-01-01T00:00:00Z" }],
    nodes: "1/1",
  });
  const later = { generation: 3, now: now + 9e6 };
  expect(changedStatus(first, STATUS, later)).toBeUndefined();
  const fields = [{ field: "spec.rules[0]", reason: "RuleDropped" }] as const;
  const ignoring = changedStatus(first, { ...STATUS, ignored: fields }, later);
  expect(ignoring?.ignored).toEqual(fields);
  expect(changedStatus(ignoring, { ...STATUS, ignored: fields }, later)).toBeUndefined();
  expect(changedStatus(ignoring, STATUS, later)).not.toHaveProperty("ignored");
  expect(changedStatus(first, { ...STATUS, nodes: "1/2" }, later)?.nodes).toBe("1/2");
});

test("changedStatus(): names of a thousand fields the first 64, and is content with them", () => {
  const ignored = Array.from({ length: 1000 }, (_, i) => {
    return { field: `spec.rules[${i}]`, reason: "AttributeErased" } as const;
  });
  const stamp = { generation: 1, now: 0 };
  const written = changedStatus({}, { ...STATUS, ignored }, stamp);
  expect(written?.ignored).toHaveLength(64);
  expect(changedStatus(written, { ...STATUS, ignored }, stamp)).toBeUndefined();
});

test("changedStatus(): lastTransitionTime moves with the status, not with the message", () => {
  const before = changedStatus(undefined, STATUS, { generation: 1, now: 0 });
  const stamp = { generation: 2, now: 60_000 };
  function timeWith(part: object): string | undefined {
    const conditions = [{ ...WANTED, ...part }];
    return changedStatus(before, { ...STATUS, conditions }, stamp)?.conditions[0]
      ?.lastTransitionTime;
  }
  expect(timeWith({ message: "new" })).toBe("1970-01-01T00:00:00Z");
  expect(timeWith({ status: "False" })).toBe("1970-01-01T00:01:00Z");
});

test("enforcementOf(): what is refused and read as nothing is not enforced, and denies nothing", () => {
  const unused = { accepted: false, effect: "unused" as const, proofs: [], uncaptured: NONE };
  expect(enforcementOf(unused, new Map()).condition).toMatchObject({
    status: "False",
    reason: "Invalid",
    message: "not in force: all is as without it",
  });
  expect(enforcementOf({ ...unused, refusal: "Conflicted" }, new Map()).condition).toMatchObject({
    reason: "Conflicted",
  });
});
