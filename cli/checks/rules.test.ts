import { expect, test } from "@jest/globals";
import { checkRules } from "./rules.ts";

const NODE = { node: "a", version: "1", captured: 2, pending: 0, failed: 0, leaves: 1 };
const FAILED = { pod: "shop/web", node: "b", state: "failed", reason: "rules_failed" };

test("checkRules(): a node that captures has its rules", () => {
  expect(checkRules({ nodes: [NODE, { ...NODE, captured: 0 }], notCaptured: [] })).toMatchObject([
    { level: "ok", message: expect.stringContaining("1 of 2 nodes") },
  ]);
});

test("checkRules(): each node whose rules cannot be put in fails once, with what iptables said", () => {
  const message = "iptables-restore: no chain by that name";
  const notCaptured = [
    { ...FAILED, message },
    { ...FAILED, pod: "shop/api", message },
    { ...FAILED, node: "c", reason: "namespace_not_found", message: "none" },
  ];
  expect(checkRules({ nodes: [NODE], notCaptured })).toEqual([
    { check: "iptables", level: "fail", message: `b: ${message}` },
  ]);
});
