import { expect, test } from "@jest/globals";
import type { ClusterObject } from "./cluster-objects.ts";
import { type MeshObjects, viewMesh } from "./mesh-view.ts";

const namespace: ClusterObject = {
  metadata: { name: "shop", labels: { "weft.dev/mesh": "enabled" } },
};

function pod(name: string, more: Partial<ClusterObject> = {}): ClusterObject {
  return {
    metadata: { name, namespace: "shop", uid: `uid-${name}` },
    spec: { nodeName: "node1" },
    status: { phase: "Running" },
    ...more,
  };
}

function reportOf(uid: string, state: string): ClusterObject {
  return {
    metadata: { name: "node1" },
    status: {
      version: "1",
      captures: [{ uid, state, reason: "no_leaf", message: "waiting" }],
      leaves: [],
    },
  };
}

const working: MeshObjects = {
  deployment: { metadata: { name: "weft-operator" }, status: { replicas: 2, readyReplicas: 2 } },
  daemonSet: {
    metadata: { name: "weft-node-proxy" },
    status: { desiredNumberScheduled: 1, numberReady: 1 },
  },
  namespaces: [namespace],
  pods: [pod("web")],
  reports: [reportOf("uid-web", "captured")],
  policies: [],
};

test("viewMesh(): a mesh whose every pod is captured is healthy", () => {
  expect(viewMesh(working)).toMatchObject({
    installed: true,
    healthy: true,
    namespaces: [{ namespace: "shop", pods: 1, captured: 1 }],
    nodes: [{ node: "node1", captured: 1, failed: 0 }],
  });
});

test("viewMesh(): a pod that its node reports failed makes it unhealthy and is named with the reason", () => {
  const view = viewMesh({ ...working, reports: [reportOf("uid-web", "failed")] });
  expect(view.healthy).toBe(false);
  expect(view.notCaptured).toEqual([
    { pod: "shop/web", node: "node1", state: "failed", reason: "no_leaf", message: "waiting" },
  ]);
});

test("viewMesh(): opted-out, ended and host-network pods are not the mesh's", () => {
  const outside = [
    pod("a", {
      metadata: { name: "a", namespace: "shop", labels: { "weft.dev/mesh": "disabled" } },
    }),
    pod("b", { status: { phase: "Succeeded" } }),
    pod("c", { spec: { nodeName: "node1", hostNetwork: true } }),
  ];
  const view = viewMesh({ ...working, pods: [...working.pods, ...outside] });
  expect(view.healthy).toBe(true);
  expect(view.namespaces).toEqual([{ namespace: "shop", pods: 1, captured: 1 }]);
});

test("viewMesh(): a policy that is not accepted makes it unhealthy, with the message", () => {
  const policy: ClusterObject = {
    kind: "AuthorizationPolicy",
    metadata: { name: "p", namespace: "shop" },
    status: { conditions: [{ type: "Accepted", status: "False", message: "spec.rules: empty" }] },
  };
  const view = viewMesh({ ...working, policies: [policy] });
  expect(view.healthy).toBe(false);
  expect(view.policies[0]).toMatchObject({
    name: "shop/p",
    accepted: "False",
    message: "spec.rules: empty",
  });
});

const CONDITIONS = {
  accepted: { type: "Accepted", status: "True", reason: "Accepted", observedGeneration: 2 },
  enforced: { type: "Enforced", status: "True", reason: "Enforced", observedGeneration: 2 },
};

function healthyWith(enforced: object, generation = 2): boolean {
  const policy: ClusterObject = {
    kind: "AuthorizationPolicy",
    metadata: { name: "p", namespace: "shop", generation },
    status: { conditions: [CONDITIONS.accepted, { ...CONDITIONS.enforced, ...enforced }] },
  };
  return viewMesh({ ...working, policies: [policy] }).healthy;
}

test("viewMesh(): a policy that is not enforced makes it unhealthy, one in dry-run does not", () => {
  expect(healthyWith({})).toBe(true);
  expect(healthyWith({ status: "False", reason: "RefusedByNode" })).toBe(false);
  expect(healthyWith({ status: "False", reason: "DryRun" })).toBe(true);
});

test("viewMesh(): conditions of the generation before say nothing about the policy as it is now", () => {
  expect(healthyWith({}, 3)).toBe(false);
});

test("viewMesh(): replicas that could not be made count as wanted", () => {
  const deployment: ClusterObject = {
    metadata: { name: "weft-operator" },
    spec: { replicas: 2 },
    status: { replicas: 1, readyReplicas: 1 },
  };
  const view = viewMesh({ ...working, deployment });
  expect(view).toMatchObject({ healthy: false, operator: { ready: 1, wanted: 2 } });
});

test("viewMesh(): nothing installed is not healthy", () => {
  const view = viewMesh({ ...working, deployment: undefined, daemonSet: undefined });
  expect(view).toMatchObject({ installed: false, healthy: false });
});
