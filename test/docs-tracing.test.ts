/** Holds docs/tracing.md to the spans that are made and to the fates that are counted; its MeshConfig is accepted by the operator. */
import { readFileSync } from "node:fs";
import { expect, test } from "@jest/globals";
import { Counter, Histogram, Registry } from "prom-client";
import { parse } from "yaml";
import { ConnectionMetrics } from "../nodeproxy/telemetry/connection-metrics.ts";
import { parseMeshConfig } from "../operator/resources/mesh-config.ts";

const PAGE = readFileSync("docs/tracing.md", "utf8");

function rows(heading: string): readonly string[] {
  const [, part = ""] = PAGE.split(`| ${heading} | what |\n| --- | --- |\n`);
  const [table = ""] = part.split("\n\n");
  return [...table.matchAll(/^\| `([\w.]+)` \|/gm)].map(([, name = ""]) => name);
}

test("docs/tracing.md: lists every attribute of a span, and no other", () => {
  const source = readFileSync("nodeproxy/tracing/request-span.ts", "utf8");
  const made = [...source.matchAll(/\["([a-z]+\.[a-z._]+)"/g)].map(([, name = ""]) => name);
  expect(made.length).toBeGreaterThan(15);
  expect(rows("attribute").toSorted()).toEqual([...new Set(made)].toSorted());
});

test("docs/tracing.md: names every attribute of a workload", () => {
  const source = readFileSync("nodeproxy/tracing/tracing.ts", "utf8");
  const made = [...source.matchAll(/\["([a-z0-9]+\.[a-z.]+)"/g)].map(([, name = ""]) => name);
  expect(made.length).toBeGreaterThan(4);
  for (const name of made) expect(PAGE).toContain(`\`${name}\``);
});

test("docs/tracing.md: lists every fate of a span, and no other", async () => {
  const registry = new Registry();
  new ConnectionMetrics().expose(registry, { Counter, Histogram });
  const text = await registry.metrics();
  const fates = [...text.matchAll(/^weft_trace_spans_total\{fate="(\w+)"\}/gm)];
  expect(rows("fate").toSorted()).toEqual(fates.map(([, fate = ""]) => fate).toSorted());
});

test("docs/tracing.md: its MeshConfig says where spans go, and how many", () => {
  const [, yaml = ""] = /```yaml\n([\s\S]*?)```/.exec(PAGE) ?? [];
  const parsed = parseMeshConfig(parse(yaml));
  if (parsed.kind === "refused") throw new Error(JSON.stringify(parsed.reasons));
  expect(parsed.value.settings.tracing).toEqual({
    service: "observability/otel-collector",
    port: 4318,
    partsPerMillion: 50_000,
  });
});
