/** A shop of two nodes in a directory of Kubernetes YAML, with policies of every kind that `weftctl why` has to tell of. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { stringify } from "yaml";

type Spec = Readonly<Record<string, unknown>>;

function pod(name: string, node: string, { address, labels }: { address: string; labels: Spec }) {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace: "shop", uid: `uid-${name}`, labels },
    spec: { nodeName: node, serviceAccountName: name.replace(/-\d$/, ""), containers: [] },
    status: { phase: "Running", podIP: address, podIPs: [{ ip: address }] },
  };
}

function policy(name: string, spec: Spec, annotations: Spec = {}) {
  const metadata = { name, namespace: "shop", annotations };
  return { apiVersion: "weft.dev/v1", kind: "AuthorizationPolicy", metadata, spec };
}

function endpoint(name: string, nodeName: string, address: string) {
  const targetRef = { kind: "Pod", name, namespace: "shop", uid: `uid-${name}` };
  return { addresses: [address], conditions: { ready: true }, nodeName, targetRef };
}

const NAMESPACE = { apiVersion: "v1", kind: "Namespace" };

const WHY_SHOP: readonly object[] = [
  { ...NAMESPACE, metadata: { name: "shop", labels: { "weft.dev/mesh": "enabled" } } },
  pod("web-1", "node-a", { address: "10.0.0.1", labels: { app: "web" } }),
  pod("api-1", "node-b", { address: "10.0.1.1", labels: { app: "api" } }),
  pod("api-2", "node-a", { address: "10.0.0.2", labels: { app: "api", version: "v2" } }),
  {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: "api", namespace: "shop" },
    spec: {
      clusterIP: "10.96.0.7",
      clusterIPs: ["10.96.0.7"],
      selector: { app: "api" },
      ports: [{ port: 80, targetPort: 8080, protocol: "TCP" }],
    },
  },
  {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: {
      name: "api-x",
      namespace: "shop",
      labels: { "kubernetes.io/service-name": "api" },
    },
    addressType: "IPv4",
    ports: [{ name: "", port: 8080, protocol: "TCP" }],
    endpoints: [endpoint("api-1", "node-b", "10.0.1.1"), endpoint("api-2", "node-a", "10.0.0.2")],
  },
  policy("web-only", {
    selector: { matchLabels: { app: "api" } },
    action: "ALLOW",
    rules: [
      {
        from: [{ source: { serviceAccounts: ["web"] } }],
        to: [{ operation: { ports: ["8080"] } }],
      },
    ],
  }),
  policy("no-post", {
    selector: { matchLabels: { version: "v2" } },
    action: "DENY",
    rules: [{ to: [{ operation: { methods: ["POST"] } }] }],
  }),
  policy(
    "trial",
    { action: "DENY", rules: [{ from: [{ source: { notNamespaces: ["shop"] } }] }] },
    { "weft.dev/dry-run": "true" },
  ),
  {
    apiVersion: "weft.dev/v1",
    kind: "PeerAuthentication",
    metadata: { name: "default", namespace: "shop" },
    spec: { mtls: { mode: "STRICT" } },
  },
  {
    apiVersion: "weft.dev/v1",
    kind: "RequestAuthentication",
    metadata: { name: "staff", namespace: "shop" },
    spec: {
      selector: { matchLabels: { app: "api" } },
      jwtRules: [{ issuer: "https://idp.example" }],
    },
  },
];

/** By the paths of an API server, without their kinds, as lists have them. */
export function whyShopLists(): ReadonlyMap<string, readonly object[]> {
  const lists = new Map<string, object[]>();
  for (const object of WHY_SHOP) {
    const { apiVersion, kind, ...item } = object as { apiVersion: string; kind: string };
    const plural = kind.endsWith("y") ? `${kind.slice(0, -1)}ies` : `${kind}s`;
    const place = kind === "Namespace" ? "" : "namespaces/shop/";
    const group = apiVersion === "v1" ? "api/v1" : `apis/${apiVersion}`;
    const path = `/${group}/${place}${plural.toLowerCase()}`;
    lists.set(path, [...(lists.get(path) ?? []), item]);
  }
  return lists;
}

export function writeWhyShop(directory: string): void {
  const text = WHY_SHOP.map((object) => stringify(object)).join("---\n");
  writeFileSync(join(directory, "shop.yaml"), text);
}
