/** Prometheus' own tool checks the alerts of deploy/ and runs test/alerts.promtool.yaml on them. */
import { beforeAll, expect, test } from "@jest/globals";
import { tryCommand } from "../cluster/command.ts";
import { findPromtool } from "../promtool.ts";

let promtool: string;

beforeAll(async () => {
  promtool = await findPromtool();
});

test("promtool check rules: deploy/alerts.rules.yaml is what Prometheus takes", async () => {
  const { code, stdout, stderr } = await tryCommand([
    promtool,
    "check",
    "rules",
    "deploy/alerts.rules.yaml",
  ]);
  expect([code, stderr]).toEqual([0, ""]);
  expect(stdout).toMatch(/SUCCESS: \d+ rules found/);
});

test("promtool test rules: every alert fires at its time, and none where all is well", async () => {
  const { code, stderr } = await tryCommand([
    promtool,
    "test",
    "rules",
    "test/alerts.promtool.yaml",
  ]);
  expect([stderr, code]).toEqual(["", 0]);
});
