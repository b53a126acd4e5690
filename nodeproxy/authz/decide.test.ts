import { expect, test } from "@jest/globals";
import type { CompiledPolicy, Rule, Source } from "../../core/model/authorization-policy.ts";
import type { Attempt } from "./attempt.ts";
import { decide } from "./decide.ts";
import { decideMode } from "./decide-mode.ts";
import { createDecider } from "./decider.ts";
import { explain } from "./explain.ts";

const SETTINGS = { trustDomain: "cluster.local", trustDomainAliases: [] };
const WEB = { trustDomain: "cluster.local", namespace: "shop", serviceAccount: "web" };
const plaintext: Attempt = {
  sourceIp: [10, 0, 0, 1],
  destinationIp: [10, 0, 0, 2],
  destinationPort: 80,
};
const fromWeb: Attempt = { ...plaintext, peer: WEB };
const EMPTY: Source = {
  principals: [],
  notPrincipals: [],
  namespaces: [],
  notNamespaces: [],
  serviceAccounts: [],
  notServiceAccounts: [],
  trustDomains: [],
  notTrustDomains: [],
  ipBlocks: [],
  notIpBlocks: [],
};

function policy(ref: string, rules: readonly Rule[], action: CompiledPolicy["action"] = "ALLOW") {
  return { ref, action, dryRun: false, invalid: false, rules };
}

function everything(index = 0): Rule {
  return { index, from: [], to: [], when: [] };
}

function deciderOf(policies: readonly CompiledPolicy[], refs = policies.map(({ ref }) => ref)) {
  const byRef = new Map(policies.map((item) => [item.ref, item]));
  return createDecider({ refs, policyOf: (ref) => byRef.get(ref), settings: SETTINGS });
}

test("decide(): a workload of which nothing is known is denied [G4]", () => {
  expect(decide(undefined, fromWeb).verdict).toEqual({ kind: "deny", reason: "policy_unknown" });
  expect(explain(undefined, fromWeb).outcome).toEqual({ kind: "deny", reason: "policy_unknown" });
});

test("decide(): a named policy that has not arrived denies, whatever the others say [G5]", () => {
  const decider = deciderOf([policy("a/all", [everything()])], ["a/all", "a/late"]);
  const denial = { kind: "deny", reason: "policy_missing", policy: "a/late" };
  expect(decide(decider, fromWeb).verdict).toEqual(denial);
  expect(explain(decider, fromWeb).outcome).toEqual(denial);
});

test("decide(): the permit names the rule that allowed", () => {
  const never = { ...everything(0), to: [{ ports: [1], notPorts: [] }] };
  const decider = deciderOf([policy("a/b", [never, everything(1)]), policy("a/c", [everything()])]);
  expect(decide(decider, fromWeb).verdict).toMatchObject({
    kind: "permit",
    by: { policy: "a/b", rule: 1 },
  });
});

test("decide(): a denial names the policy and the rule", () => {
  const decider = deciderOf([policy("a/b", [everything(3)], "DENY")]);
  expect(decide(decider, plaintext).verdict).toEqual({
    kind: "deny",
    reason: "denied_by_policy",
    policy: "a/b",
    rule: 3,
  });
});

test("decide(): an invalid DENY names itself, and no rule", () => {
  const decider = deciderOf([{ ...policy("a/b", [], "DENY"), invalid: true }]);
  expect(decide(decider, plaintext).verdict).toEqual({
    kind: "deny",
    reason: "policy_invalid",
    policy: "a/b",
  });
});

test("decide(): an invalid DENY in dry run denies nothing and is told", () => {
  const decider = deciderOf([{ ...policy("a/b", [], "DENY"), invalid: true, dryRun: true }]);
  expect(decide(decider, plaintext)).toMatchObject({
    verdict: { kind: "permit" },
    observed: [{ policy: "a/b", rule: -1, action: "DENY", dryRun: true }],
    dryRun: "deny",
  });
});

test("decide(): one rule with very long lists still decides", () => {
  const namespaces = Array.from({ length: 150_000 }, (_, i) => ({
    kind: "exact" as const,
    value: i === 149_999 ? "shop" : `n${i}`,
  }));
  const notIpBlocks = Array.from({ length: 1_000 }, (_, i) => ({
    family: 4 as const,
    bytes: [11, i >> 8, i & 255, 0],
    prefixLength: 24,
  }));
  const sources = [
    { ...EMPTY, namespaces, notIpBlocks },
    ...Array.from({ length: 150_000 }, () => ({ ...EMPTY, namespaces: namespaces.slice(0, 1) })),
  ];
  const decider = deciderOf([policy("a/b", [{ ...everything(), from: sources }])]);
  expect(decide(decider, fromWeb).verdict.kind).toBe("permit");
  expect(decide(decider, { ...fromWeb, sourceIp: [11, 0, 7, 9] }).verdict.kind).toBe("deny");
  expect(decide(decider, plaintext).verdict.kind).toBe("deny");
});

test("createDecider(): hands the old one back where nothing has changed, else a new one", () => {
  const policies = [policy("a/b", [everything()])];
  const input = { refs: ["a/b"], policyOf: () => policies[0], settings: SETTINGS };
  const first = createDecider(input);
  expect(createDecider(input, first)).toBe(first);
  const changed = { ...input, policyOf: () => policy("a/b", []) };
  expect(createDecider(changed, first)).not.toBe(first);
  const renamed = { ...input, settings: { ...SETTINGS, trustDomainAliases: ["old"] } };
  expect(createDecider(renamed, first)).not.toBe(first);
});

test("explain(): says of every rule which part failed", () => {
  const rule: Rule = {
    index: 0,
    from: [{ ...EMPTY, namespaces: [{ kind: "exact", value: "ops" }] }],
    to: [{ ports: [], notPorts: [80] }],
    when: [
      { key: "destination.port", values: [80], notValues: [] },
      {
        key: "source.ip",
        values: [],
        notValues: [{ family: 4, bytes: [10, 0, 0, 0], prefixLength: 8 }],
      },
    ],
  };
  const { outcome, policies } = explain(deciderOf([policy("a/b", [rule, everything(1)])]), fromWeb);
  expect(outcome).toEqual({ kind: "permit", by: { policy: "a/b", rule: 1 } });
  expect(policies[0]?.rules).toEqual([
    {
      index: 0,
      matched: false,
      dropped: false,
      failed: ["from", "to", "when[1]"],
      from: [
        {
          matched: false,
          clauses: [{ field: "namespaces", wanted: ["ops"], seen: ["shop"], outcome: "no_match" }],
        },
      ],
      to: [
        {
          matched: false,
          clauses: [{ field: "notPorts", wanted: ["80"], seen: ["80"], outcome: "no_match" }],
        },
      ],
      when: [
        [{ field: "destination.port", wanted: ["80"], seen: ["80"], outcome: "match" }],
        [
          {
            field: "source.ip notValues",
            wanted: ["10.0.0.0/8"],
            seen: ["10.0.0.1"],
            outcome: "no_match",
          },
        ],
      ],
    },
    { index: 1, matched: true, dropped: false, failed: [], from: [], to: [], when: [] },
  ]);
});

const modes = { default: "STRICT" as const, ports: [{ port: 81, mode: "PERMISSIVE" as const }] };

test("decideMode(): STRICT refuses plaintext, whatever ALLOW policies say [F12]", () => {
  expect(decideMode(modes, plaintext)).toEqual({ kind: "deny", reason: "plaintext_refused" });
  expect(decide(deciderOf([policy("a/b", [everything()])]), plaintext).verdict.kind).toBe("permit");
});

test("decideMode(): STRICT takes a proven identity", () => {
  expect(decideMode(modes, fromWeb)).toEqual({ kind: "pass" });
});

test("decideMode(): a port's own mode comes first, and the caller's address grants nothing [F13]", () => {
  expect(decideMode(modes, { ...plaintext, destinationPort: 81 })).toEqual({ kind: "pass" });
  const fromNode = { ...plaintext, sourceIp: plaintext.destinationIp };
  expect(decideMode(modes, fromNode).kind).toBe("deny");
});

test("decideMode(): DISABLE takes both", () => {
  const disabled = { default: "DISABLE" as const, ports: [] };
  expect(decideMode(disabled, plaintext).kind).toBe("pass");
  expect(decideMode(disabled, fromWeb).kind).toBe("pass");
});

test("decideMode(): modes that are not known deny", () => {
  expect(decideMode(undefined, fromWeb)).toEqual({ kind: "deny", reason: "policy_unknown" });
});

test("decide(): an invalid CUSTOM policy denies even when its provider says yes to another's question [G6]", () => {
  const invalid = { ...policy("a/b", [], "CUSTOM"), invalid: true, provider: "opa" };
  const asked: Attempt = { ...fromWeb, answers: new Map([["opa", "permit"]]) };
  const denial = { kind: "deny", reason: "policy_invalid", policy: "a/b" };
  expect(decide(deciderOf([invalid]), asked).verdict).toEqual(denial);
  expect(explain(deciderOf([invalid]), asked).outcome).toEqual(denial);
});
