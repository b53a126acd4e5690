import { expect, test } from "@jest/globals";
import type { PolicyState } from "../index/policy-state.ts";
import { acceptedCondition } from "./acceptance.ts";

const STATE: PolicyState = {
  kind: "AuthorizationPolicy",
  namespace: "shop",
  name: "p",
  uid: "u",
  generation: 1,
  status: undefined,
  accepted: true,
  effect: "full",
  reasons: [],
  warnings: [],
  notes: [],
  proofs: [],
  uncaptured: new Map(),
};

test("acceptedCondition(): what was refused names every field and reason", () => {
  const reasons = [
    { field: "spec.action", message: "is none" },
    { field: "spec.rules", message: "is empty" },
  ];
  expect(acceptedCondition({ ...STATE, accepted: false, reasons })).toEqual({
    type: "Accepted",
    status: "False",
    reason: "Invalid",
    message: "spec.action: is none; spec.rules: is empty",
  });
});

test("acceptedCondition(): an accepted one tells what is read otherwise than it is written", () => {
  const notes = [
    { field: "spec.rules[0].to[0].operation.methods", effect: "rule_dropped" },
    { field: "spec.rules[1].to[0].operation.hosts", effect: "attribute_erased" },
    { field: "spec.provider.name", effect: "provider_unknown" },
  ] as const;
  const warnings = [{ field: "spec.rules", message: "ALLOW without rules denies everything" }];
  const { status, message } = acceptedCondition({ ...STATE, warnings, notes });
  expect(status).toBe("True");
  expect(message.split("; ").map((part) => part.split(":")[0])).toEqual([
    "spec.rules",
    "spec.rules[0].to[0].operation.methods",
    "spec.rules[1].to[0].operation.hosts",
    "spec.provider.name",
  ]);
});
