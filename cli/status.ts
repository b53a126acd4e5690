/** `weftctl status`: is the mesh installed, which pods are captured, which policies are enforced. Changes nothing. */
import type { KubeApi } from "../core/kube/kube-api.ts";
import type { Command } from "./command.ts";
import { type ClusterObject, getObject, listObjects } from "./mesh/cluster-objects.ts";
import { type MeshView, viewMesh } from "./mesh/mesh-view.ts";
import { print, table } from "./print.ts";

const POLICY_KINDS = {
  authorizationpolicies: "AuthorizationPolicy",
  peerauthentications: "PeerAuthentication",
  requestauthentications: "RequestAuthentication",
  trafficpolicies: "TrafficPolicy",
  meshconfigs: "MeshConfig",
  trustbundles: "TrustBundle",
};

/** 0 where everything is as it should be, else 1. */
export async function runStatus(api: KubeApi, command: Command): Promise<number> {
  const view = await readMesh(api, command.namespace);
  print({ value: view, text: () => describe(view) }, command.output);
  return view.healthy ? 0 : 1;
}

export async function readMesh(api: KubeApi, namespace: string): Promise<MeshView> {
  const workloads = `/apis/apps/v1/namespaces/${namespace}`;
  const [deployment, daemonSet, namespaces, pods, reports, ...policies] = await Promise.all([
    getObject(api, `${workloads}/deployments/weft-operator`),
    getObject(api, `${workloads}/daemonsets/weft-node-proxy`),
    listObjects(api, "/api/v1/namespaces"),
    listObjects(api, "/api/v1/pods"),
    listObjects(api, "/apis/weft.dev/v1/nodereports"),
    ...Object.entries(POLICY_KINDS).map(([plural, kind]) => listKind(api, plural, kind)),
  ]);
  return viewMesh({ deployment, daemonSet, namespaces, pods, reports, policies: policies.flat() });
}

/** Items of a list do not name their kind. */
async function listKind(
  api: KubeApi,
  plural: string,
  kind: string,
): Promise<readonly ClusterObject[]> {
  const objects = await listObjects(api, `/apis/weft.dev/v1/${plural}`);
  return objects.map((object) => ({ ...object, kind }));
}

function describe(view: MeshView): string {
  if (!view.installed) return "weft is not installed in this cluster";
  const parts = [
    `operator ${view.operator.ready} of ${view.operator.wanted} ready, node proxies ${view.nodeProxies.ready} of ${view.nodeProxies.wanted} ready`,
    table(
      ["node", "version", "captured", "pending", "failed", "certificates"],
      view.nodes.map((node) => [
        node.node,
        node.version,
        String(node.captured),
        String(node.pending),
        String(node.failed),
        String(node.leaves),
      ]),
    ),
    table(
      ["namespace", "pods", "captured"],
      view.namespaces.map(({ namespace, pods, captured }) => [
        namespace,
        String(pods),
        String(captured),
      ]),
    ),
  ];
  if (view.policies.length > 0) {
    const rows = view.policies.map((policy) => [
      policy.kind,
      policy.name,
      policy.accepted,
      policy.enforced,
      policy.message,
    ]);
    parts.push(table(["kind", "name", "accepted", "enforced", "message"], rows));
  }
  if (view.notCaptured.length > 0) {
    const rows = view.notCaptured.map(({ pod, node, state, reason, message }) => [
      pod,
      node,
      state,
      reason,
      message,
    ]);
    parts.push(`not captured:\n${table(["pod", "node", "state", "reason", "message"], rows)}`);
  }
  return parts.join("\n\n");
}
