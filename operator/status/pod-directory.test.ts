import { expect, test } from "@jest/globals";
import { type KubeObject, parseKubeObject } from "../resources/kube-object.ts";
import { PodDirectory } from "./pod-directory.ts";

function pod(name: string, node: string, more: object = {}): KubeObject {
  const parsed = parseKubeObject({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace: "weft-system", uid: `uid-${name}`, ...more },
    spec: { nodeName: node, serviceAccountName: "weft-node-proxy", containers: [] },
  });
  if (parsed.kind === "refused") throw new Error(parsed.reasons.join());
  return parsed.value;
}

const ENDING = { deletionTimestamp: "2030-01-01T00:00:00Z" };

test("PodDirectory: a pod is superseded once it ends and another of its account lives on its node", () => {
  const pods = new PodDirectory();
  pods.observe({ kind: "upsert", object: pod("old", "a") });
  pods.observe({ kind: "upsert", object: pod("young", "a") });
  expect(pods.isSuperseded("uid-old")).toBe(false);
  pods.observe({ kind: "upsert", object: pod("old", "a", ENDING) });
  expect([pods.isSuperseded("uid-old"), pods.isSuperseded("uid-young")]).toEqual([true, false]);
});

test("PodDirectory: a pod that ends without a successor on its node speaks to the end", () => {
  const pods = new PodDirectory();
  pods.observe({ kind: "upsert", object: pod("old", "a", ENDING) });
  pods.observe({ kind: "upsert", object: pod("elsewhere", "b") });
  expect(pods.isSuperseded("uid-old")).toBe(false);
});
