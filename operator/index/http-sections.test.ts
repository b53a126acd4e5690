/** TrafficPolicies with the section `http` through the index: which ports callers then read as HTTP, and what is warned of. */
import { expect, test } from "@jest/globals";
import { kubeObject, serviceObject } from "../../test/fakes/route-objects.ts";
import type { KubeObject } from "../resources/kube-object.ts";
import { parseTrafficPolicy } from "../resources/traffic-policy.ts";
import { ClusterIndex } from "./cluster-index.ts";

const API = serviceObject(
  "shop/api",
  { port: 80 },
  { port: 5432, name: "db", appProtocol: "postgres" },
  { port: 9000, name: "raw" },
);

function createIndex(...objects: readonly KubeObject[]): ClusterIndex {
  const index = new ClusterIndex({ rootNamespace: "weft-system", schedule: () => undefined });
  for (const object of objects) index.apply({ kind: "upsert", object });
  return index;
}

function policy(spec: object, name = "shop/p"): KubeObject {
  const targetRefs = [{ kind: "Service", name: "api" }];
  const made = kubeObject("TrafficPolicy", name, { spec: { targetRefs, ...spec } });
  return { ...made, metadata: { ...made.metadata, creationTimestamp: "2026-01-01T00:00:00Z" } };
}

/** The Service's HTTP ports with their versions, as a node holds them. */
function httpOf(index: ClusterIndex, service = "shop/api"): Readonly<Record<number, string>> {
  const body = index.resourcesFor("a").get(`service ${service}`)?.body;
  if (body?.kind !== "service") throw new Error(`no Service ${service}`);
  return Object.fromEntries(
    body.value.ports.flatMap(({ port, http }) => (http ? [[port, http]] : [])),
  );
}

function warningsOf(index: ClusterIndex, object: KubeObject): readonly string[] {
  const parsed = parseTrafficPolicy(object);
  if (parsed.kind === "refused") throw new Error(JSON.stringify(parsed.reasons));
  const told = index.warningsOf(parsed.value);
  return told.map(({ field, message }) => `${field}: ${message}`);
}

test("ClusterIndex: the section http makes ports HTTP that declare nothing, until it goes", () => {
  const index = createIndex(API, policy({}));
  expect(httpOf(index)).toEqual({});
  index.apply({ kind: "upsert", object: policy({ http: {} }) });
  expect(httpOf(index)).toEqual({ 80: "http1", 9000: "http1" });
  index.apply({ kind: "upsert", object: policy({ http: { ports: [80, 5432] } }) });
  expect(httpOf(index)).toEqual({ 80: "http1" });
  index.apply({ kind: "delete", object: policy({}) });
  expect(httpOf(index)).toEqual({});
});

test("ClusterIndex: the section http is there for a Service that comes later, and comes back", () => {
  const index = createIndex(policy({ http: { ports: [80] } }), API);
  expect(httpOf(index)).toEqual({ 80: "http1" });
  index.apply({ kind: "delete", object: API });
  expect(index.resourcesFor("a").has("service shop/api")).toBe(false);
  index.apply({ kind: "upsert", object: API });
  expect(httpOf(index)).toEqual({ 80: "http1" });
});

test("ClusterIndex: fields of requests outside of the section make no port HTTP", () => {
  const http = { connectionPool: { http: { http2MaxRequests: 1 } } };
  expect(httpOf(createIndex(API, policy(http)))).toEqual({});
});

test("ClusterIndex: a policy that rules nothing makes no port HTTP, until the older one goes", () => {
  const young = policy({ http: { ports: [80] } }, "shop/young");
  const later = { ...young.metadata, creationTimestamp: "2026-02-01T00:00:00Z" };
  const index = createIndex(API, policy({}), { ...young, metadata: later });
  expect(httpOf(index)).toEqual({});
  index.apply({ kind: "delete", object: policy({}) });
  expect(httpOf(index)).toEqual({ 80: "http1" });
});

test("ClusterIndex: a policy that becomes unreadable makes no port HTTP", () => {
  const index = createIndex(API, policy({ http: {} }));
  index.apply({ kind: "upsert", object: policy({ http: { ports: "80" } }) });
  expect(httpOf(index)).toEqual({});
});

function route(kind: string): KubeObject {
  const parentRefs = [{ group: "", kind: "Service", name: "api", port: 80 }];
  return kubeObject(kind, "shop/r", { spec: { parentRefs, rules: [{}] } });
}

test("ClusterIndex: of a port that both ask for a GRPCRoute says the version, and the section stays for the rest", () => {
  const index = createIndex(API, policy({ http: {} }), route("GRPCRoute"));
  expect(httpOf(index)).toEqual({ 80: "http2", 9000: "http1" });
  index.apply({ kind: "delete", object: route("GRPCRoute") });
  expect(httpOf(index)).toEqual({ 80: "http1", 9000: "http1" });
  index.apply({ kind: "delete", object: policy({}) });
  expect(httpOf(index)).toEqual({});
});

const LIMITED = { outlierDetection: { consecutive5xxErrors: 3 } };

test("ClusterIndex: whoever applies fields of requests is told where no port shows any", () => {
  const index = createIndex(API);
  const blind =
    "spec.outlierDetection.consecutive5xxErrors: does nothing for Service api: none of its ports is HTTP, by appProtocol, a route or the section http";
  expect(warningsOf(index, policy(LIMITED))).toEqual([blind]);
  expect(warningsOf(index, policy({ outlierDetection: {} }))).toEqual([]);
  expect(warningsOf(index, policy({ ...LIMITED, http: {} }))).toEqual([]);
  index.apply({ kind: "upsert", object: policy(LIMITED) });
  const told = index.policies().map(({ warnings }) => warnings.map(({ message }) => message));
  expect(told).toEqual([[blind.slice(blind.indexOf("does"))]]);
  index.apply({ kind: "upsert", object: route("HTTPRoute") });
  index.deliver();
  expect(warningsOf(index, policy(LIMITED))).toEqual([]);
});

test("ClusterIndex: whoever names ports is told of those that cannot be HTTP", () => {
  expect(warningsOf(createIndex(API), policy({ http: { ports: [5432, 81] } }))).toEqual([
    "spec.http.ports: port 5432 of Service api declares postgres, so it stays opaque",
    "spec.http.ports: Service api has no TCP port 81",
    "spec.http: does nothing for Service api: none of its ports is HTTP, by appProtocol, a route or the section http",
  ]);
});

test("ClusterIndex: whoever says anything of requests to a headless Service is told that it does nothing", () => {
  const headless = kubeObject("Service", "shop/api", {
    spec: { clusterIP: "None", ports: [{ port: 80, appProtocol: "http" }] },
  });
  expect(warningsOf(createIndex(headless), policy({ http: {} }))).toEqual([
    "spec.http: does nothing for Service api: without a cluster IP its callers' requests are not seen",
  ]);
});

test("ClusterIndex: whoever hedges requests is told where all of them are HTTP/2", () => {
  const grpc = serviceObject("shop/api", { port: 80, appProtocol: "grpc" }, { port: 9000 });
  const hedged = policy({ http: { hedge: { delay: "1s" } } });
  expect(warningsOf(createIndex(grpc), hedged)).toEqual([
    "spec.http.hedge: does nothing for Service api: over HTTP/2, which all its HTTP ports are, no request is hedged",
  ]);
  expect(warningsOf(createIndex(grpc), policy({ http: {} }))).toEqual([]);
  expect(warningsOf(createIndex(API), hedged)).toEqual([]);
});
