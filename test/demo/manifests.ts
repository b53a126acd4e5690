/** The shop: its pods, its services and the policy that the demo writes while it runs. */
import type { ServiceWish } from "../world/manifests.ts";
import type { PodWish } from "../world/world.ts";

const NAMESPACE = "shop";

export const API: ServiceWish = { name: "api", address: "10.96.0.10", port: 80, targetPort: 8080 };
export const STORE: ServiceWish = {
  name: "store",
  address: "10.96.0.20",
  port: 6400,
  targetPort: 6400,
};

export const SHOP_PODS: readonly PodWish[] = [
  pod("web", "web", "node1"),
  pod("api-1", "api", "node1"),
  pod("api-2", "api", "node2"),
  pod("api-3", "api", "node2"),
  pod("store", "store", "node2"),
];

function pod(name: string, app: string, node: string): PodWish {
  return { name, namespace: NAMESPACE, serviceAccount: app, labels: { app }, node };
}

export const DENY_WEB = {
  apiVersion: "weft.dev/v1",
  kind: "AuthorizationPolicy",
  metadata: { name: "deny-web", namespace: NAMESPACE },
  spec: {
    selector: { matchLabels: { app: "api" } },
    action: "DENY",
    rules: [{ from: [{ source: { principals: [`cluster.local/ns/${NAMESPACE}/sa/web`] } }] }],
  },
};
