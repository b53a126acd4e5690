/** The cases of the policy language, from the object as written to the verdict. Names in brackets are the design's case ids. */
import { expect, test } from "@jest/globals";
import { casesOfOrderAndIdentity } from "./policy-cases/cases-of-order-and-identity.ts";
import { casesOfPlaceAndReading } from "./policy-cases/cases-of-place-and-reading.ts";
import {
  A,
  allow,
  attempt,
  attemptOf,
  B,
  decisionOf,
  deny,
  FROM_A,
  GET,
  outcome,
  PLAIN,
  policyOf,
  source,
} from "./policy-language.ts";

for (const [name, written, call, expected] of [
  ...casesOfOrderAndIdentity,
  ...casesOfPlaceAndReading,
]) {
  test(`policy: ${name}`, () => {
    expect(outcome(written, attemptOf(call))).toBe(expected);
  });
}

test("[A12] order and names of policies never matter", () => {
  const policies = [allow({}), deny(FROM_A), { spec: { action: "AUDIT", rules: [{}] } }];
  function named(names: readonly string[], order: readonly number[]) {
    return order.map((i) => ({ ...(policies[i] ?? allow()), name: names[i] ?? "" }));
  }
  for (const names of [
    ["a", "b", "c"],
    ["c", "b", "a"],
    ["b", "c", "a"],
  ]) {
    for (const order of [
      [0, 1, 2],
      [2, 1, 0],
      [1, 2, 0],
    ]) {
      expect(outcome(named(names, order), attempt(A))).toBe("denied_by_policy");
      expect(outcome(named(names, order), attempt(B))).toBe("permit");
    }
  }
});

test("[A18] [A19] [A20] what did not decide is told beside the verdict", () => {
  const written = [
    { name: "audit", spec: { action: "AUDIT", rules: [FROM_A, {}] } },
    { ...deny(FROM_A), name: "dry-deny", dryRun: true },
    { ...allow(source({ principals: [B] })), name: "dry-allow", dryRun: true },
  ];
  expect(decisionOf(written, attempt(A))).toMatchObject({
    verdict: { kind: "permit" },
    dryRun: "deny",
    observed: [
      { policy: "shop/audit", rule: 0, action: "AUDIT", dryRun: false },
      { policy: "shop/dry-deny", rule: 0, action: "DENY", dryRun: true },
    ],
  });
  expect(decisionOf(written, attempt(B))).toMatchObject({ dryRun: "permit" });
  expect(decisionOf(written, attempt(PLAIN))).toMatchObject({ dryRun: "deny" });
});

test("the status names every attribute that cannot be seen", () => {
  const rules = [
    {
      ...source({ principals: [A], requestPrincipals: ["*"] }),
      ...GET,
      when: [{ key: "request.headers[a]", values: ["b"] }],
    },
  ];
  const fields = [
    "spec.rules[0].from[0].source.requestPrincipals",
    "spec.rules[0].to[0].operation.methods",
    "spec.rules[0].when[0].key",
  ];
  const erased = policyOf({ spec: { action: "AUDIT", rules } }).compiled.notes;
  expect(erased).toEqual(fields.map((field) => ({ field, effect: "attribute_erased" })));
  const dropped = policyOf({ spec: { action: "ALLOW", rules } }).compiled.notes;
  expect(dropped).toEqual(fields.map((field) => ({ field, effect: "rule_dropped" })));
});
