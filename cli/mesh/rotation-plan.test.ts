import { expect, test } from "@jest/globals";
import { formatCertificatesPem } from "../../core/x509/pem.ts";
import { createRoot } from "../../operator/ca/root.ts";
import { createCraftedRoot } from "../../test/fakes/crafted-ca.ts";
import type { ClusterObject } from "./cluster-objects.ts";
import { type PlanObjects, planRotation } from "./rotation-plan.ts";

const now = Date.UTC(2030, 0, 1);
const READY = { conditions: [{ type: "Ready", status: "True" }] };

function rootsOf(pem: string): ClusterObject {
  return { metadata: { name: "weft-roots" }, data: { "roots.pem": pem } };
}

const OWN = rootsOf(createRoot("cluster.local", now).rootsPem);
const BROUGHT = rootsOf(formatCertificatesPem([createCraftedRoot("mine", {}).der]));

function node(name: string, status: object = READY): ClusterObject {
  return { metadata: { name }, status: { ...status } };
}

function proxy(nodeName: string, status: object = READY): ClusterObject {
  const metadata = { name: `p-${nodeName}`, namespace: "weft-system", labels: PROXY_LABELS };
  return { metadata, spec: { nodeName }, status: { phase: "Running", ...status } };
}

const PROXY_LABELS = { app: "weft-node-proxy" };

function report(name: string, endsIn = 3_600_000): ClusterObject {
  const leaf = { identity: "i", notAfter: new Date(now + endsIn).toISOString() };
  const status = { reportedAt: "2029-12-31T23:00:00Z", leaves: [leaf, leaf], tunnels: ["u"] };
  return { metadata: { name }, status };
}

function plan(objects: Partial<PlanObjects>) {
  return planRotation({
    authority: "root",
    namespace: "weft-system",
    roots: OWN,
    meshConfig: undefined,
    rotations: [],
    reports: [report("a"), report("b")],
    nodes: [node("a"), node("b"), node("not-of-the-mesh")],
    pods: [proxy("a"), proxy("b")],
    now,
    ...objects,
  });
}

test("planRotation(): each phase with the nodes, certificates and pods that it touches", () => {
  const { ready, phases, heldUpBy, refusals } = plan({});
  expect([ready, heldUpBy, refusals]).toEqual([true, [], []]);
  expect(phases).toEqual([
    { phase: "Add", nodes: 2, leaves: 0, pods: 0 },
    { phase: "Reissue", nodes: 2, leaves: 4, pods: 2 },
    { phase: "Drop", nodes: 2, leaves: 0, pods: 0 },
  ]);
  const intermediate = plan({ authority: "intermediate" });
  expect(intermediate.phases.map(({ phase }) => phase)).toEqual(["Reissue", "Drop"]);
  expect([intermediate.ready, intermediate.notes.length]).toEqual([true, 1]);
});

test.each([
  ["no report of a node proxy that is there", { reports: [report("a")] }, "NoReport"],
  ["certificates that have all ended", { reports: [report("a"), report("b", -1)] }, "StaleReport"],
  ["a node that is not Ready", { nodes: [node("a"), node("b", {})] }, "NodeNotReady"],
  ["no node proxy there", { pods: [proxy("a")] }, "NoNodeProxy"],
  [
    "a node proxy that is not ready",
    { pods: [proxy("a"), proxy("b", { conditions: [] })] },
    "NoNodeProxy",
  ],
])("planRotation(): %s would hold it up", (_, objects, reason) => {
  const { ready, heldUpBy } = plan(objects);
  expect([ready, heldUpBy.map((each) => [each.node, each.reason])]).toEqual([
    false,
    [["b", reason]],
  ]);
});

test("planRotation(): a report of a node that is gone counts for nothing", () => {
  const { ready, phases } = plan({ reports: [report("a"), report("b"), report("gone")] });
  expect([ready, phases[0]?.nodes]).toEqual([true, 2]);
});

const SIGNED = {
  metadata: { name: "default" },
  spec: { certificates: { issuerRef: { name: "ca" } } },
};
const UNDER_WAY = {
  metadata: { name: "intermediate-1" },
  spec: { authority: "intermediate" },
  status: { phase: "Drop" },
};

test.each([
  ["a brought CA", { roots: BROUGHT }, "CaBrought"],
  ["cert-manager's", { meshConfig: SIGNED }, "SignerOwnsRoot"],
  ["another under way", { rotations: [UNDER_WAY] }, "AnotherRotation"],
  ["no CA", { roots: undefined }, "NoCa"],
])("planRotation(): %s would be refused", (_, objects, reason) => {
  const { ready, refusals } = plan(objects);
  expect([ready, refusals.map((each) => each.reason)]).toEqual([false, [reason]]);
});

test("planRotation(): one of the same authority under way would be followed", () => {
  const { ready, underWay } = plan({ authority: "intermediate", rotations: [UNDER_WAY] });
  expect([ready, underWay?.name]).toEqual([true, "intermediate-1"]);
});
