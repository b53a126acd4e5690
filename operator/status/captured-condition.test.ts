import { expect, test } from "@jest/globals";
import type { CaptureState } from "../../core/model/node-report.ts";
import { capturedCondition } from "./captured-condition.ts";

const CASES: readonly (readonly [CaptureState, string, string, string])[] = [
  ["captured", "", "True", "Captured"],
  ["pending", "namespace_not_found", "False", "NamespaceNotFound"],
  ["pending", "", "False", "Pending"],
  ["releasing", "draining", "False", "Releasing"],
  ["failed", "rules_failed", "False", "RulesFailed"],
  // The API server refuses a condition whose reason does not begin with a letter.
  ["failed", "9_lives", "False", "Failed"],
  ["failed", "…", "False", "Failed"],
];

for (const [state, reason, status, expected] of CASES) {
  test(`capturedCondition(): ${state} with reason "${reason}" is ${status}, ${expected}`, () => {
    const capture = { uid: "u", state, reason, message: "why", connectionsOutside: 0 };
    expect(capturedCondition(capture)).toEqual({
      type: "weft.dev/Captured",
      status,
      reason: expected,
      message: "why",
    });
  });
}
