/** The shop: its pods, its services, and what the demo writes while it runs. */
import type { ServiceWish } from "../world/manifests.ts";
import type { PodWish } from "../world/world.ts";

const NAMESPACE = "shop";

export const API: ServiceWish = { name: "api", address: "10.96.0.10", port: 80, targetPort: 8080 };
/** The version that a few requests are to try. */
export const API_NEXT: ServiceWish = {
  name: "api-next",
  address: "10.96.0.11",
  port: 80,
  targetPort: 8080,
  appProtocol: "http",
};
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
  pod("api-next", "api-next", "node2"),
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

export const CANARY_PERCENT = 10;

/** A tenth of the requests to api go to its next version; what a replica cannot do, another is asked for. */
export const CANARY = {
  apiVersion: "gateway.networking.k8s.io/v1",
  kind: "HTTPRoute",
  metadata: { name: "api", namespace: NAMESPACE },
  spec: {
    parentRefs: [{ group: "", kind: "Service", name: "api", port: API.port }],
    rules: [
      {
        matches: [{ path: { type: "PathPrefix", value: "/stock" } }],
        retry: { codes: [503], attempts: 2 },
        backendRefs: [{ name: "api", port: API.port }],
      },
      {
        backendRefs: [
          { name: "api", port: API.port, weight: 100 - CANARY_PERCENT },
          { name: "api-next", port: API_NEXT.port, weight: CANARY_PERCENT },
        ],
      },
    ],
  },
};

export const CUSTOMER_REQUESTS = 10;

/** At the next version each customer may have so many orders an hour. */
export const CUSTOMER_LIMIT = {
  apiVersion: "weft.dev/v1",
  kind: "TrafficPolicy",
  metadata: { name: "api-next", namespace: NAMESPACE },
  spec: {
    targetRefs: [{ kind: "Service", name: "api-next" }],
    rateLimits: [
      {
        name: "per-customer",
        match: { pathPrefix: "/orders" },
        by: { header: "x-customer" },
        fixedWindow: { requests: CUSTOMER_REQUESTS, window: "1h" },
      },
    ],
  },
};
