import { expect, test } from "@jest/globals";
import type { CompiledPolicy } from "../../core/model/authorization-policy.ts";
import { DENIED_CONNECTION, DENIED_OUTCOME } from "../../test/fakes/denied-connection.ts";
import { KeptDenials, MAX_DENIALS } from "./kept-denials.ts";
import { policyMark } from "./policy-mark.ts";

const POLICY: CompiledPolicy = {
  ref: "shop/p",
  action: "DENY",
  dryRun: false,
  invalid: false,
  rules: [{ index: 0, from: [], to: [], when: [] }],
};
const ATTEMPT = {
  peer: { trustDomain: "cluster.local", namespace: "shop", serviceAccount: "web" },
  sourceIp: [10, 0, 0, 1],
  destinationIp: [10, 0, 0, 2],
  destinationPort: 2,
};
const FACTS = { ...DENIED_CONNECTION, attempt: ATTEMPT };

function keeper() {
  return new KeptDenials({
    node: "node-a",
    policyOf: (ref) => (ref === POLICY.ref ? POLICY : undefined),
    now: () => 7,
  });
}

function find(kept: KeptDenials, denial = "") {
  return kept.answer({ kind: "denial_request", id: 1, denial }).attempt;
}

test("KeptDenials: a denial is kept with what was decided on, the policy that did, and its mark", () => {
  const kept = keeper();
  const id = kept.note(FACTS, DENIED_OUTCOME);
  expect(find(kept, id)).toEqual({
    id,
    timeMs: 7,
    code: "denied_by_policy",
    decided: { policy: "shop/p", rule: 0, mark: policyMark(POLICY) },
    wasOpen: true,
    pod: "uid",
    workload: "",
    source: "10.0.0.1:1",
    sourceWorkload: "",
    facts: {
      peer: ATTEMPT.peer,
      sourceIp: "10.0.0.1",
      destinationIp: "10.0.0.2",
      destinationPort: 2,
    },
  });
});

test("KeptDenials: a policy that is not there has no mark, an address that was not read no text", () => {
  const kept = keeper();
  const facts = { ...FACTS, attempt: { ...ATTEMPT, sourceIp: [] } };
  const missing = { ...DENIED_OUTCOME, code: "policy_missing", policy: "shop/other" };
  const attempt = find(kept, kept.note(facts, missing));
  expect(attempt?.decided).toEqual({ policy: "shop/other", rule: 0, mark: "" });
  expect(attempt?.facts.sourceIp).toBe("");
});

test.each(["connect_refused", "", "toString"])(
  "KeptDenials: %j is no decision of policy, so there is no id",
  (code) => {
    expect(keeper().note(FACTS, { ...DENIED_OUTCOME, code })).toBeUndefined();
  },
);

test("KeptDenials: an outbound connection has no attempt, so there is no id", () => {
  expect(keeper().note(DENIED_CONNECTION, DENIED_OUTCOME)).toBeUndefined();
});

test("KeptDenials: the oldest makes room for the next", () => {
  const kept = keeper();
  const ids = Array.from({ length: MAX_DENIALS + 1 }, () => kept.note(FACTS, DENIED_OUTCOME));
  expect(ids.filter((id) => find(kept, id)).length).toBe(MAX_DENIALS);
  expect(find(kept, ids[0])).toBeUndefined();
  expect(find(kept, ids[1])).toBeDefined();
});

test("policyMark(): follows the content, not the object", () => {
  expect(policyMark({ ...POLICY })).toBe(policyMark(POLICY));
  expect(policyMark({ ...POLICY, action: "ALLOW" })).not.toBe(policyMark(POLICY));
});
