import { expect, test } from "@jest/globals";
import { Registry } from "prom-client";
import { exposeCaptures } from "./capture-metrics.ts";

test("exposeCaptures(): every state has its sample, also with nobody in it", async () => {
  const registry = new Registry();
  const states = ["captured", "failed", "captured"] as const;
  exposeCaptures(registry, () => states.map((state) => ({ state })));
  const values = (await registry.getSingleMetric("weft_nodeproxy_pods")?.get())?.values ?? [];
  expect(values.map(({ labels, value }) => [labels["state"], value])).toEqual([
    ["pending", 0],
    ["captured", 2],
    ["releasing", 0],
    ["failed", 1],
  ]);
});
