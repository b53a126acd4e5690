/** The alerts of deploy/: both forms the same, on metrics that exist, documented and each of them tested. */
import { readFileSync } from "node:fs";
import { expect, test } from "@jest/globals";
import { parse } from "yaml";

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly labels: { readonly severity: string };
}

interface RuleFile {
  readonly groups: readonly { readonly rules: readonly Rule[] }[];
}

interface RuleTest {
  readonly alertname: string;
  readonly exp_alerts?: readonly object[];
}

function read<Shape>(path: string): Shape {
  return parse(readFileSync(path, "utf8")) as Shape;
}

const file = read<RuleFile>("deploy/alerts.rules.yaml");
const rules = file.groups.flatMap((group) => group.rules);
const docs = readFileSync("docs/metrics.md", "utf8");

test("deploy/alerts.yaml: the PrometheusRule has the rules of alerts.rules.yaml", () => {
  const object = read<{ readonly kind: string; readonly spec: RuleFile }>("deploy/alerts.yaml");
  expect([object.kind, object.spec]).toEqual(["PrometheusRule", file]);
});

test("deploy/alerts.yaml: no part of what kubectl apply -k deploy applies: not every cluster knows the kind", () => {
  const { resources } = read<{ readonly resources: readonly string[] }>(
    "deploy/kustomization.yaml",
  );
  expect(resources.filter((resource) => resource.includes("alerts"))).toEqual([]);
});

test("deploy/alerts.rules.yaml: every metric that is asked for stands in docs/metrics.md", () => {
  const documented = new Set([...docs.matchAll(/^\| `(weft_\w+)/gm)].map(([, name]) => name));
  const asked = rules.flatMap(({ expr }) => expr.match(/weft_\w+/g) ?? []);
  expect(asked.length).toBeGreaterThanOrEqual(rules.length);
  expect(asked.filter((name) => !documented.has(name))).toEqual([]);
});

test("docs/metrics.md: lists exactly the alerts, with their severity", () => {
  const listed = [...docs.matchAll(/^\| `(Weft\w+)` \| (\w+) \|/gm)];
  expect(listed.map(([, alert, severity]) => [alert, severity])).toEqual(
    rules.map(({ alert, labels }) => [alert, labels.severity]),
  );
});

test("test/alerts.promtool.yaml: every alert fires in a test, and stays quiet in one", () => {
  const { tests } = read<{
    readonly tests: readonly { readonly alert_rule_test: readonly RuleTest[] }[];
  }>("test/alerts.promtool.yaml");
  const all = tests.flatMap((each) => each.alert_rule_test);
  const firing = all.filter(({ exp_alerts: alerts = [] }) => alerts.length > 0);
  const quiet = all.filter(({ exp_alerts: alerts = [] }) => alerts.length === 0);
  for (const list of [firing, quiet]) {
    expect(new Set(list.map(({ alertname }) => alertname))).toEqual(
      new Set(rules.map(({ alert }) => alert)),
    );
  }
});
