/** Routes through the index: what every node is told, and that each change of what they depend on is followed. */
import { expect, test } from "@jest/globals";
import {
  kubeObject,
  parentRef,
  routeObject,
  serviceObject,
} from "../../test/fakes/route-objects.ts";
import type { KubeObject } from "../resources/kube-object.ts";
import { ClusterIndex } from "./cluster-index.ts";

function createIndex(...objects: readonly KubeObject[]): ClusterIndex {
  const index = new ClusterIndex({ rootNamespace: "weft-system", schedule: () => undefined });
  put(index, ...objects);
  return index;
}

function put(index: ClusterIndex, ...objects: readonly KubeObject[]): void {
  for (const object of objects) index.apply({ kind: "upsert", object });
}

function remove(index: ClusterIndex, object: KubeObject): void {
  index.apply({ kind: "delete", object });
}

function backends(index: ClusterIndex, service = "shop/web") {
  const body = index.resourcesFor("a").get(`routes ${service}`)?.body;
  if (body?.kind !== "routes") return undefined;
  return body.value.tables.map(({ port, rules }) => {
    return [port, ...rules.flatMap((rule) => rule.backends.map(({ to }) => to?.service ?? "-"))];
  });
}

function httpOf(index: ClusterIndex, service = "shop/web") {
  const body = index.resourcesFor("a").get(`service ${service}`)?.body;
  return body?.kind === "service" ? body.value.ports.map(({ http }) => http) : undefined;
}

const WEB = serviceObject("shop/web", { port: 80 });
const API = serviceObject("lab/api", { port: 82 });
const TO_API = { backendRefs: [{ name: "api", namespace: "lab", port: 82 }] };
const ROUTE = routeObject("HTTPRoute", "shop/r", { parents: [parentRef("web")], rules: [TO_API] });
const GRANT = kubeObject("ReferenceGrant", "lab/g", {
  spec: {
    from: [{ group: "gateway.networking.k8s.io", kind: "HTTPRoute", namespace: "shop" }],
    to: [{ group: "", kind: "Service" }],
  },
});

test("ClusterIndex: routes, their Services and grants may come and go in any order", () => {
  const index = createIndex(ROUTE);
  expect(backends(index)).toBeUndefined();
  put(index, WEB);
  expect(backends(index)).toStrictEqual([[80, "-"]]);
  expect(httpOf(index)).toStrictEqual(["http1"]);
  put(index, GRANT);
  expect(backends(index)).toStrictEqual([[80, "-"]]);
  put(index, API);
  expect(backends(index)).toStrictEqual([[80, "lab/api"]]);
  remove(index, GRANT);
  expect(backends(index)).toStrictEqual([[80, "-"]]);
  put(index, GRANT);
  put(index, serviceObject("lab/api", { port: 83 }));
  expect(backends(index)).toStrictEqual([[80, "-"]]);
  put(index, API, serviceObject("shop/web", { port: 90 }));
  expect(backends(index)).toStrictEqual([[90, "lab/api"]]);
  remove(index, ROUTE);
  expect(backends(index)).toBeUndefined();
  expect(httpOf(index)).toStrictEqual([undefined]);
  put(index, ROUTE);
  remove(index, WEB);
  expect(backends(index)).toBeUndefined();
});

test("ClusterIndex: a route that moves to another Service leaves the first", () => {
  const index = createIndex(WEB, API, GRANT, ROUTE, serviceObject("shop/new", { port: 80 }));
  expect(backends(index)).toStrictEqual([[80, "lab/api"]]);
  put(index, routeObject("HTTPRoute", "shop/r", { parents: [parentRef("new")], rules: [TO_API] }));
  expect(backends(index)).toBeUndefined();
  expect(httpOf(index)).toStrictEqual([undefined]);
  expect(backends(index, "shop/new")).toStrictEqual([[80, "lab/api"]]);
});

test("ClusterIndex: a HTTPRoute and a GRPCRoute of one name are two", () => {
  const grpc = routeObject("GRPCRoute", "shop/r", {
    parents: [parentRef("web")],
    rules: [{ backendRefs: [{ name: "web", port: 80 }] }],
  });
  const index = createIndex(WEB, API, GRANT, ROUTE, grpc);
  expect(backends(index)).toStrictEqual([[80, "shop/web"]]);
  expect(httpOf(index)).toStrictEqual(["http2"]);
  remove(index, grpc);
  expect(backends(index)).toStrictEqual([[80, "lab/api"]]);
  expect(httpOf(index)).toStrictEqual(["http1"]);
});

test("ClusterIndex: what did not change is not told again", () => {
  const index = createIndex(WEB, API, GRANT, ROUTE);
  const told: string[] = [];
  const stop = index.watch("a", ({ upserts }) => told.push(...upserts.map(({ name }) => name)));
  told.length = 0;
  const status = { parents: [{ controllerName: "another.example/mesh" }] };
  put(index, { ...ROUTE, status }, WEB, GRANT);
  index.deliver();
  expect(told).toStrictEqual([]);
  stop();
});
