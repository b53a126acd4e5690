import { expect, test } from "@jest/globals";
import type { CaptureState } from "../../core/model/node-report.ts";
import { parseKubeObject } from "../resources/kube-object.ts";
import { ClusterIndex } from "./cluster-index.ts";

function put(index: ClusterIndex, object: object): void {
  const parsed = parseKubeObject({ apiVersion: "v1", ...object });
  if (parsed.kind === "refused") throw new Error(parsed.reasons.join());
  index.apply({ kind: "upsert", object: parsed.value });
}

function putPod(
  index: ClusterIndex,
  name: string,
  part: Readonly<Record<string, unknown>> = {},
): void {
  const { podIP = "10.0.0.1", ...meta } = part;
  put(index, {
    kind: "Pod",
    metadata: { namespace: "shop", name, uid: `uid-${name}`, ...meta },
    spec: { nodeName: "a", containers: [] },
    status: { phase: "Running", podIP },
  });
}

function shop(): ClusterIndex {
  const index = new ClusterIndex({ rootNamespace: "weft-system", schedule: () => undefined });
  const metadata = { name: "shop", uid: "uid-shop", labels: { "weft.dev/mesh": "enabled" } };
  put(index, { kind: "Namespace", metadata });
  return index;
}

function report(index: ClusterIndex, states: Readonly<Record<string, CaptureState>>): void {
  const captures = Object.entries(states).map(([name, state]) => {
    return { uid: `uid-${name}`, state, reason: "", message: "", connectionsOutside: 0 };
  });
  const rest = { version: "1", leaves: [], bundles: [], olderTunnels: [] };
  index.setReport({ node: "a", captures, ...rest }, 1);
}

test("ClusterIndex.captureCounts(): a pod whose node says nothing, or failed, is missing; who has no address yet is not counted", () => {
  const index = shop();
  for (const name of ["one", "two", "three"]) putPod(index, name);
  putPod(index, "starting", { podIP: "" });
  putPod(index, "out", { labels: { "weft.dev/mesh": "disabled" } });
  expect(index.captureCounts()).toEqual({ captured: 0, missing: 3 });
  report(index, { one: "captured", two: "failed" });
  expect(index.captureCounts()).toEqual({ captured: 1, missing: 2 });
});

test("ClusterIndex: a pod that is told to end stays enrolled and in its callers' tunnel until it has ended", () => {
  const index = shop();
  putPod(index, "web");
  report(index, { web: "captured" });
  putPod(index, "web", { deletionTimestamp: "2026-01-01T00:00:00Z" });
  const held = index.resourcesFor("a");
  expect(held.get("enrolment uid-web")).toBeDefined();
  expect(held.get("workload uid-web")?.body.value).toMatchObject({ tunnel: true });
});
