/** Rate limits through the index: which pods' enrolments carry which, on which ports, and what the TrafficPolicy's status says. */
import { beforeEach, expect, test } from "@jest/globals";
import { type KubeObject, parseKubeObject } from "../resources/kube-object.ts";
import { ClusterIndex } from "./cluster-index.ts";

type Fields = Readonly<Record<string, unknown>>;

function object(kind: string, name: string, fields: Fields = {}): KubeObject {
  const [namespace, own] = name.includes("/") ? name.split("/") : ["", name];
  const { labels, isYoung, ...rest } = fields;
  const creationTimestamp = `2026-01-0${isYoung ? 2 : 1}T00:00:00Z`;
  const metadata = { namespace, name: own, uid: `uid-${own}`, labels, creationTimestamp };
  const apiVersion = /^(TrafficPolicy|MeshConfig)$/.test(kind) ? "weft.dev/v1" : "v1";
  const parsed = parseKubeObject({ apiVersion, kind, metadata, ...rest });
  if (parsed.kind === "refused") throw new Error(parsed.reasons.join());
  return parsed.value;
}

function pod(name: string, app: string): KubeObject {
  const containers = [{ name: "c", ports: [{ name: "web", containerPort: 8080 }] }];
  return object("Pod", `shop/${name}`, {
    labels: { app },
    spec: { nodeName: "n", serviceAccountName: "sa", containers },
    status: { phase: "Running", podIP: "10.0.0.1", podIPs: [{ ip: "10.0.0.1" }] },
  });
}

function service(name: string, app: string, ports: readonly Fields[]): KubeObject {
  return object("Service", `shop/${name}`, { spec: { selector: { app }, ports } });
}

function mesh(spec: Fields): KubeObject {
  return object("MeshConfig", "default", { spec });
}

function policy(name: string, to: string, limits: readonly Fields[]): KubeObject {
  const rateLimits = limits.length === 0 ? {} : { rateLimits: limits };
  const spec = { targetRefs: [{ kind: "Service", name: to }], ...rateLimits };
  return object("TrafficPolicy", `shop/${name}`, { spec, isYoung: name === "young" });
}

const LIMIT = { name: "all", fixedWindow: { requests: 5, window: "1m" } };
const QUOTA = { kind: "fixed_window", requests: 5, windowMs: 60_000 };
const WEB = { name: "web", port: 80, targetPort: "web", appProtocol: "http" };
const RPC = { name: "rpc", port: 90, targetPort: 9090, appProtocol: "grpc" };
const RAW = { name: "raw", port: 91, targetPort: 9191 };

let index: ClusterIndex;

beforeEach(() => {
  index = new ClusterIndex({ rootNamespace: "weft-system", schedule: () => undefined });
  put(
    object("Node", "n"),
    object("Namespace", "shop", { labels: { "weft.dev/mesh": "enabled" } }),
    pod("api-1", "api"),
    pod("web-1", "web"),
    service("api", "api", [WEB, RPC, RAW]),
  );
});

function put(...objects: readonly KubeObject[]): void {
  for (const each of objects) index.apply({ kind: "upsert", object: each });
}

function enrolmentOf(name: string) {
  const body = index.resourcesFor("n").get(`enrolment uid-${name}`)?.body;
  if (body?.kind !== "enrolment") throw new Error(`${name} is not enrolled`);
  return body.value;
}

test("ClusterIndex: a rate limit comes with the pods behind its Service, on the ports that are HTTP", () => {
  put(policy("p", "api", [LIMIT]));
  const { httpPorts, rateLimits } = enrolmentOf("api-1");
  expect(httpPorts).toEqual([
    { port: 8080, version: "http1" },
    { port: 9090, version: "http2" },
  ]);
  expect(rateLimits).toEqual([
    {
      policy: "shop/p",
      name: "all",
      ports: [8080, 9090],
      pathPrefix: "",
      methods: [],
      hosts: [],
      headers: [],
      count: { kind: "local", by: { kind: "everybody" }, quota: QUOTA },
    },
  ]);
  expect(enrolmentOf("web-1")).not.toHaveProperty("rateLimits");
  expect(enrolmentOf("web-1")).not.toHaveProperty("httpPorts");
});

test("ClusterIndex: a rate limit that goes leaves the ports opaque again", () => {
  put(policy("p", "api", [LIMIT]));
  index.apply({ kind: "delete", object: policy("p", "api", []) });
  expect(enrolmentOf("api-1")).not.toHaveProperty("rateLimits");
  expect(enrolmentOf("api-1")).not.toHaveProperty("httpPorts");
});

test("ClusterIndex: a rate limit on ports of the Service holds on the pod's own behind them", () => {
  put(policy("p", "api", [{ ...LIMIT, ports: [80] }]));
  expect(enrolmentOf("api-1").rateLimits).toMatchObject([{ ports: [8080] }]);
  put(service("api", "api", [{ ...WEB, port: 81 }, { ...RPC, port: 80 }, RAW]));
  expect(enrolmentOf("api-1").rateLimits).toMatchObject([{ ports: [9090] }]);
});

test("ClusterIndex: limits of several Services of one pod hold together, each on its ports", () => {
  put(
    service("rpc", "api", [RPC]),
    policy("q", "rpc", [LIMIT]),
    policy("p", "api", [{ ...LIMIT, ports: [80] }]),
  );
  expect(enrolmentOf("api-1").rateLimits).toMatchObject([
    { policy: "shop/p", ports: [8080] },
    { policy: "shop/q", ports: [9090] },
  ]);
});

test("ClusterIndex: a TrafficPolicy that does not rule limits nothing, until the older one goes", () => {
  put(policy("old", "api", []), policy("young", "api", [LIMIT]));
  expect(enrolmentOf("api-1")).not.toHaveProperty("rateLimits");
  index.apply({ kind: "delete", object: policy("old", "api", []) });
  expect(enrolmentOf("api-1").rateLimits).toMatchObject([{ policy: "shop/young" }]);
});

test("ClusterIndex: the status names limits on ports that are not HTTP, and waits for the pods' nodes", () => {
  const web = { ...LIMIT, name: "web", ports: [80] };
  put(policy("p", "api", [web, { ...LIMIT, name: "raw", ports: [91] }]));
  expect(enrolmentOf("api-1").rateLimits).toMatchObject([{ name: "web" }]);
  const enrolment = index.resourcesFor("n").get("enrolment uid-api-1");
  expect(index.policies()).toMatchObject([
    {
      accepted: true,
      warnings: [
        {
          field: "spec.rateLimits[1]",
          message: expect.stringContaining("limits nothing on ports that are not read as HTTP"),
        },
      ],
      proofs: [{ node: "n", key: "enrolment uid-api-1", version: enrolment?.version }],
      uncaptured: new Map([["n", 1]]),
    },
  ]);
  put(service("api", "api", [WEB, RPC, { ...RAW, appProtocol: "http" }]));
  expect(index.policies()).toMatchObject([{ warnings: [] }]);
});

test("ClusterIndex: the status names global limits that nobody counts, until MeshConfig has a service for them", () => {
  const global = { descriptor: [{ key: "who", identity: true }] };
  put(policy("p", "api", [LIMIT, { name: "everywhere", global }]));
  const entries = [{ key: "who", value: { kind: "identity" } }];
  expect(enrolmentOf("api-1").rateLimits?.[1]).toMatchObject({
    count: { kind: "global", entries },
  });
  const message = expect.stringContaining("nobody counts it");
  function warnings() {
    return index.policies().find(({ name }) => name === "p")?.warnings;
  }
  const unmet = { field: "spec.rateLimits[1]", message };
  expect(warnings()).toContainEqual(unmet);
  const rateLimitService = { service: "limits/ratelimit", port: 8081, domain: "weft" };
  put(mesh({ rateLimitService }));
  expect(warnings()).not.toContainEqual(unmet);
  put(mesh({}));
  expect(warnings()).toContainEqual(unmet);
});
