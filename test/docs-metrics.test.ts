/** Holds docs/metrics.md, the node proxy's part, to what it exposes: names, types and labels. The operator's: test/mesh. */
import { readFileSync } from "node:fs";
import { expect, test } from "@jest/globals";
import { Counter, Histogram, Registry } from "prom-client";
import { exposeCaptures } from "../nodeproxy/telemetry/capture-metrics.ts";
import { ConnectionMetrics } from "../nodeproxy/telemetry/connection-metrics.ts";
import { exposeLeaves } from "../nodeproxy/telemetry/leaf-metrics.ts";
import { SummedMetrics } from "../nodeproxy/workers/summed-metrics.ts";
import { DENIED_CONNECTION, DENIED_OUTCOME } from "./fakes/denied-connection.ts";

const docs = readFileSync("docs/metrics.md", "utf8");
const [, nodeProxy = ""] = /^## Node proxy$([\s\S]*?)^## Operator$/m.exec(docs) ?? [];

interface Metric {
  readonly name: string;
  readonly type: string;
  readonly values: readonly { readonly labels: object }[];
}

/** One connection that leaves a sample in every metric. */
async function exposed(): Promise<readonly string[]> {
  const registry = new Registry();
  const metrics = new ConnectionMetrics();
  metrics.expose(registry, { Counter, Histogram });
  metrics.opened(DENIED_CONNECTION);
  metrics.ended(DENIED_CONNECTION, DENIED_OUTCOME);
  metrics.requested(DENIED_CONNECTION, DENIED_OUTCOME);
  metrics.guarded("shop/web", "retry");
  exposeCaptures(registry, () => []);
  new SummedMetrics({ own: registry, added: new Registry() }, () => false);
  exposeLeaves(registry, () => [{ notBeforeMs: 0, notAfterMs: 1 }]);
  const all = (await registry.getMetricsAsJSON()) as unknown as readonly Metric[];
  return all.map(({ name, type, values }) => {
    const labels = Object.keys(values[0]?.labels ?? {}).filter((label) => label !== "le");
    return `${name}${labels.length > 0 ? `{${labels.join(",")}}` : ""} ${type}`;
  });
}

test("docs/metrics.md: lists exactly the metrics of the node proxy, with their labels and types", async () => {
  const rows = [...nodeProxy.matchAll(/^\| `(weft_\S+)` \| (\w+) \| \S.* \|$/gm)];
  const listed = rows.map(([, metric = "", type = ""]) => `${metric} ${type}`);
  // Of every program; core/process/metrics.ts.
  const build = "weft_build_info{program,version,node} gauge";
  expect(listed.toSorted()).toEqual([build, ...(await exposed())].toSorted());
});
