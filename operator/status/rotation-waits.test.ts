import { expect, test } from "@jest/globals";
import type { KubeChange } from "../resources/kube-object.ts";
import { RotationWaits } from "./rotation-waits.ts";

function change(name: string, status: unknown, kind: KubeChange["kind"] = "upsert"): KubeChange {
  const metadata = {
    namespace: "",
    name,
    uid: "",
    resourceVersion: "",
    generation: 1,
    creationTimestamp: "",
    deletionTimestamp: "",
    labels: {},
    annotations: {},
    ownerReferences: [],
  };
  return {
    kind,
    object: { apiVersion: "weft.dev/v1", kind: "CARotation", metadata, status },
  };
}

test("RotationWaits: counts the nodes that a rotation under way waits for, and none of one that is over or gone", () => {
  const waits = new RotationWaits();
  const nodes = [{ state: "Waiting" }, { state: "Proven" }, { state: "Waiting" }];
  waits.observe(change("root-1", undefined));
  expect(waits.nodes()).toBe(0);
  waits.observe(change("root-1", { phase: "Add", nodes }));
  waits.observe(change("root-2", { phase: "Drop", nodes: nodes.slice(0, 1) }));
  expect(waits.nodes()).toBe(3);
  waits.observe(change("root-2", {}, "delete"));
  expect(waits.nodes()).toBe(2);
  waits.observe(change("root-1", { phase: "Aborted", nodes }));
  expect(waits.nodes()).toBe(0);
});
