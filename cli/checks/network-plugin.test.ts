import { expect, test } from "@jest/globals";
import { checkNetworkPlugin } from "./network-plugin.ts";

test.each([
  ["calico-node", "ok", "Calico"],
  ["cilium", "warn", "socketLB.hostNamespaceOnly=true"],
  ["somebody-elses", "ok", "no known plugin"],
])("checkNetworkPlugin(): DaemonSet %s: %s", (name, level, text) => {
  expect(checkNetworkPlugin([{ metadata: { name } }])).toMatchObject([
    { level, message: expect.stringContaining(text) },
  ]);
});
