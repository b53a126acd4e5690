import { expect, test } from "@jest/globals";
import { Counter, Histogram, Registry } from "prom-client";
import { mergeMetrics } from "./merge-metrics.ts";

function registryOf(process: string): Registry {
  const registry = new Registry();
  registry.setDefaultLabels({ process });
  new Counter({ name: "both_total", help: "both", registers: [registry] }).inc();
  return registry;
}

test("mergeMetrics(): a family of both processes is declared once and has the samples of both", async () => {
  const control = registryOf("control");
  const traffic = registryOf("traffic");
  const seconds = { name: "only_seconds", help: "only", buckets: [1] };
  new Histogram({ ...seconds, registers: [traffic] }).observe(0.5);
  const merged = mergeMetrics(await control.metrics(), await traffic.metrics());
  expect(merged.match(/# TYPE both_total counter/g)).toHaveLength(1);
  expect(merged).toContain('both_total{process="control"} 1\nboth_total{process="traffic"} 1\n');
  expect(merged).toContain('only_seconds_bucket{le="1",process="traffic"} 1');
  expect(merged).toContain('only_seconds_count{process="traffic"} 1');
});

test.each([
  ["no label of its own", "forged_total 1"],
  ["control's label", 'forged_total{process="control"} 1'],
  [
    "its label within another's value",
    'forged_total{a="{process=\\"traffic\\",",process="control"} 1',
  ],
  ["another family's name", 'other_total{process="traffic"} 1'],
  ["no number", 'forged_total{process="traffic"} one'],
  ["a line break", 'forged_total{process="traffic"} 1\rup 1'],
])("mergeMetrics(): leaves out a sample of traffic with %s", async (_, sample) => {
  const text = `# HELP forged_total f\n# TYPE forged_total counter\n${sample}\n`;
  const control = await registryOf("control").metrics();
  expect(mergeMetrics(control, text)).toBe(mergeMetrics(control, ""));
});
