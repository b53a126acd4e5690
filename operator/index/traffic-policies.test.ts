/** TrafficPolicies through the index: which of several rules, and what every node is told. */
import { expect, test } from "@jest/globals";
import { type KubeObject, parseKubeObject } from "../resources/kube-object.ts";
import { ClusterIndex } from "./cluster-index.ts";

function object(kind: string, name: string, fields: object): KubeObject {
  const [namespace, own] = name.includes("/") ? name.split("/") : ["", name];
  const apiVersion = kind === "TrafficPolicy" ? "weft.dev/v1" : "v1";
  const parsed = parseKubeObject({
    apiVersion,
    kind,
    metadata: { namespace, name: own },
    ...fields,
  });
  if (parsed.kind === "refused") throw new Error(parsed.reasons.join());
  return parsed.value;
}

/** An index whose deliveries the test itself sets off. */
function createIndex(...objects: readonly KubeObject[]): ClusterIndex {
  const index = new ClusterIndex({ rootNamespace: "weft-system", schedule: () => undefined });
  for (const each of objects) index.apply({ kind: "upsert", object: each });
  return index;
}

function traffic(name: string, created: string, service: string): KubeObject {
  const spec = { targetRefs: [{ kind: "Service", name: service }] };
  const made = object("TrafficPolicy", name, { spec });
  return { ...made, metadata: { ...made.metadata, creationTimestamp: created } };
}

const OLD = "2026-01-01T00:00:00Z";
const YOUNG = "2026-02-01T00:00:00Z";

function trafficNames(index: ClusterIndex): readonly string[] {
  const keys = [...index.resourcesFor("a").keys()];
  return keys.filter((key) => key.startsWith("traffic ")).toSorted();
}

test("ClusterIndex: of two TrafficPolicies for one Service the older rules until it goes", () => {
  const index = createIndex(
    object("Node", "a", {}),
    object("Service", "shop/api", { spec: { clusterIP: "10.9.0.1" } }),
    traffic("shop/young", YOUNG, "api"),
    traffic("shop/old", OLD, "api"),
    traffic("other/own", YOUNG, "api"),
  );
  index.setReport(
    { node: "a", version: "1", captures: [], leaves: [], bundles: [], olderTunnels: [] },
    1,
  );
  expect(trafficNames(index)).toEqual(["traffic other/own", "traffic shop/old"]);
  const version = index.resourcesFor("a").get("traffic shop/old")?.version;
  const states = new Map(index.policies().map((state) => [state.name, state]));
  expect(states.get("old")).toMatchObject({
    accepted: true,
    effect: "full",
    proofs: [{ node: "a", key: "traffic shop/old", version }],
  });
  expect(states.get("young")).toMatchObject({
    accepted: false,
    effect: "unused",
    refusal: "Conflicted",
    reasons: [
      { field: "spec.targetRefs", message: "Service api is ruled by the older TrafficPolicy old" },
    ],
    proofs: [],
  });
  expect(states.get("own")?.warnings).toEqual([
    { field: "spec.targetRefs", message: "there is no Service api" },
  ]);
  index.apply({ kind: "delete", object: traffic("shop/old", OLD, "api") });
  expect(trafficNames(index)).toEqual(["traffic other/own", "traffic shop/young"]);
});

test("ClusterIndex: a TrafficPolicy that becomes unreadable rules nothing, and leaves its Service to the next", () => {
  const index = createIndex(traffic("shop/old", OLD, "api"), traffic("shop/young", YOUNG, "api"));
  index.apply({ kind: "upsert", object: object("TrafficPolicy", "shop/old", { spec: {} }) });
  expect(trafficNames(index)).toEqual(["traffic shop/young"]);
  expect(index.policies()).toMatchObject([
    { name: "old", accepted: false, effect: "unused" },
    { name: "young", accepted: true },
  ]);
});
