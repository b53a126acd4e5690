import { expect, test } from "@jest/globals";
import {
  parentRef,
  routeObject,
  serviceOf,
  type WrittenPort,
} from "../../test/fakes/route-objects.ts";
import { parseGrpcRoute } from "../resources/grpc-route.ts";
import { parseHttpRoute } from "../resources/http-route.ts";
import type { Route } from "../resources/route.ts";
import type { RouteWorld } from "./route-rules.ts";
import { compileServiceRoutes } from "./service-routes.ts";

const NAME = { namespace: "shop", name: "web" };

function http(name: string, rules: readonly object[], parent = parentRef("shop/web")): Route {
  const object = routeObject("HTTPRoute", name, { parents: [parent], rules });
  return parseHttpRoute(object, () => true);
}

function grpc(name: string, rules: readonly object[], parent = parentRef("shop/web")): Route {
  return parseGrpcRoute(routeObject("GRPCRoute", name, { parents: [parent], rules }), () => true);
}

function world(ports: readonly WrittenPort[], granted: readonly string[] = []): RouteWorld {
  const services = new Map([
    ["shop/web", serviceOf("shop/web", ...ports)],
    ["shop/v2", serviceOf("shop/v2", { port: 81 })],
    ["lab/api", serviceOf("lab/api", { port: 82 })],
  ]);
  return {
    findService: ({ namespace, name }) => services.get(`${namespace}/${name}`),
    isGranted: (_from, { namespace, name }) => granted.includes(`${namespace}/${name}`),
  };
}

const HTTP = { port: 80, name: "http", appProtocol: "http" };
const H2C = { port: 81, name: "grpc", appProtocol: "kubernetes.io/h2c" };
const TLS = { port: 443, name: "https", appProtocol: "https" };
const PLAIN = { port: 9090, name: "tcp" };

function to(name: string, port: number, fields: object = {}): object {
  return { backendRefs: [{ name, port, ...fields }] };
}

function tables(routes: readonly Route[], ports: readonly WrittenPort[] = [HTTP]) {
  const { routes: compiled } = compileServiceRoutes(NAME, routes, world(ports));
  return compiled?.tables.map(({ port, consumer, rules }) => {
    return `${port} ${consumer}: ${rules.map(({ kind, route }) => `${kind[0]} ${route}`).join()}`;
  });
}

test("compileServiceRoutes(): a route without a port rules every port that declares HTTP, and no other", () => {
  expect(tables([http("shop/r", [{}])], [HTTP, H2C, TLS, PLAIN])).toStrictEqual([
    "80 : H shop/r",
    "81 : H shop/r",
  ]);
  expect(tables([grpc("shop/r", [{}])], [HTTP, H2C, TLS, PLAIN])).toStrictEqual(["81 : G shop/r"]);
});

test("compileServiceRoutes(): where no port declares HTTP it rules those that declare nothing, which become HTTP", () => {
  const ports = [PLAIN, { port: 9091, name: "b" }, TLS];
  const routed = world(ports);
  const of = compileServiceRoutes(NAME, [http("shop/r", [{}])], routed);
  expect(of.routes?.tables.map(({ port }) => port)).toStrictEqual([9090, 9091]);
  expect([...of.http]).toStrictEqual([
    [9090, "http1"],
    [9091, "http1"],
  ]);
  const grpcs = compileServiceRoutes(NAME, [grpc("shop/r", [{}])], routed);
  expect([...grpcs.http]).toStrictEqual([
    [9090, "http2"],
    [9091, "http2"],
  ]);
  // What a port declares stands.
  expect([...compileServiceRoutes(NAME, [http("shop/r", [{}])], world([H2C])).http]).toStrictEqual(
    [],
  );
});

test("compileServiceRoutes(): a parentRef names a port by number, by name, or by both", () => {
  function ported(fields: object) {
    return tables([http("shop/r", [{}], parentRef("shop/web", fields))], [HTTP, H2C, PLAIN]);
  }
  expect(ported({ port: 9090 })).toStrictEqual(["9090 : H shop/r"]);
  expect(ported({ sectionName: "grpc" })).toStrictEqual(["81 : H shop/r"]);
  expect(ported({ port: 80, sectionName: "http" })).toStrictEqual(["80 : H shop/r"]);
  expect(ported({ port: 80, sectionName: "grpc" })).toBeUndefined();
});

test("compileServiceRoutes(): what cannot be attached says why", () => {
  function said(route: Route, ports: readonly WrittenPort[]) {
    const { outcomes, routes } = compileServiceRoutes(NAME, [route], world(ports));
    expect(routes).toBeUndefined();
    return outcomes.map(({ reason, message }) => `${reason} ${message}`);
  }
  expect(said(http("shop/r", [{}], parentRef("shop/web", { port: 81 })), [HTTP])).toStrictEqual([
    "NoMatchingParent Service shop/web has no such TCP port",
  ]);
  expect(said(http("shop/r", [{}], parentRef("shop/web", { port: 443 })), [TLS])).toStrictEqual([
    "NoMatchingParent no port of Service shop/web that is meant speaks HTTP by its appProtocol",
  ]);
  expect(said(grpc("shop/r", [{}]), [HTTP, PLAIN])).toStrictEqual([
    "NoMatchingParent no port of Service shop/web that is meant speaks HTTP/2 by its appProtocol",
  ]);
  expect(said(http("shop/r", [{ shadow: 1 }]), [HTTP])).toStrictEqual([
    "UnsupportedValue spec.rules[0].shadow: is not supported",
  ]);
  const lost = { namespace: "shop", name: "gone" };
  const route = http("shop/r", [{}], parentRef("gone"));
  const { outcomes } = compileServiceRoutes(lost, [route], world([HTTP]));
  expect(outcomes).toMatchObject([{ reason: "NoMatchingParent", unresolved: [] }]);
});

test("compileServiceRoutes(): routes of other namespaces are for callers there, and replace the producers'", () => {
  const routes = [
    http("shop/own", [{}]),
    http("lab/b", [{}]),
    http("lab/a", [{}]),
    http("x/c", [{}]),
  ];
  expect(tables(routes)).toStrictEqual([
    "80 : H shop/own",
    "80 lab: H lab/a,H lab/b",
    "80 x: H x/c",
  ]);
  // Nor does such a route make a port HTTP for everybody.
  expect(compileServiceRoutes(NAME, [http("lab/a", [{}])], world([PLAIN])).http.size).toBe(0);
});

test("compileServiceRoutes(): a GRPCRoute is before HTTPRoutes of the same port and the same callers", () => {
  const routes = [http("shop/h", [{}]), grpc("shop/g", [{}]), http("lab/h", [{}])];
  expect(tables(routes, [H2C, HTTP])).toStrictEqual([
    "80 : H shop/h",
    "80 lab: H lab/h",
    "81 : G shop/g",
    "81 lab: H lab/h",
  ]);
  const { outcomes } = compileServiceRoutes(NAME, routes, world([H2C]));
  expect(outcomes.map(({ route, reason }) => `${route.name} ${reason}`)).toStrictEqual([
    "h Conflicted",
    "g Accepted",
    "h Accepted",
  ]);
});

test("compileServiceRoutes(): references that lead nowhere have no backend, and say which", () => {
  const route = http("shop/r", [
    { name: "a", ...to("v2", 81, { weight: 3 }) },
    to("v2", 80),
    to("gone", 80),
    to("api", 82, { namespace: "lab" }),
    to("import", 80, { group: "multicluster.x-k8s.io", kind: "ServiceImport" }),
    {
      filters: [{ type: "ExtensionRef", extensionRef: { group: "a.b", kind: "C", name: "d" } }],
      ...to("v2", 81),
    },
    {
      filters: [
        { type: "RequestMirror", requestMirror: { backendRef: { name: "gone", port: 1 } } },
      ],
      ...to("v2", 81),
    },
  ]);
  const { routes, outcomes } = compileServiceRoutes(NAME, [route], world([HTTP]));
  const v2 = { to: { service: "shop/v2", port: 81 }, weight: 1, filters: [] };
  const nothing = { to: undefined, weight: 1, filters: [] };
  const rules = routes?.tables[0]?.rules ?? [];
  expect(rules.map(({ backends }) => backends)).toStrictEqual([
    [{ ...v2, weight: 3 }],
    [nothing],
    [nothing],
    [nothing],
    [nothing],
    [],
    [v2],
  ]);
  expect(rules.map(({ rule }) => rule)).toStrictEqual(["a", "1", "2", "3", "4", "5", "6"]);
  expect(rules[6]?.filters).toStrictEqual([
    { kind: "mirror", to: undefined, numerator: 100, denominator: 100 },
  ]);
  expect(
    outcomes[0]?.unresolved.map(({ field, reason, message }) => `${field} ${reason} ${message}`),
  ).toStrictEqual([
    "spec.rules[1].backendRefs[0] BackendNotFound Service shop/v2 has no TCP port 80",
    "spec.rules[2].backendRefs[0] BackendNotFound there is no Service shop/gone",
    "spec.rules[3].backendRefs[0] RefNotPermitted no ReferenceGrant permits Service lab/api",
    "spec.rules[4].backendRefs[0] InvalidKind ServiceImport.multicluster.x-k8s.io import is no Service",
    "spec.rules[5].filters[0].extensionRef InvalidKind there is no filter C.a.b d",
    "spec.rules[6].filters[0].requestMirror.backendRef BackendNotFound there is no Service shop/gone",
  ]);
});

test("compileServiceRoutes(): another namespace is reached by a grant, or where it is the parent's own", () => {
  const far = http("shop/r", [to("api", 82, { namespace: "lab" })]);
  const { routes } = compileServiceRoutes(NAME, [far], world([HTTP], ["lab/api"]));
  expect(routes?.tables[0]?.rules[0]?.backends[0]?.to).toStrictEqual({
    service: "lab/api",
    port: 82,
  });
  const home = http("lab/r", [to("v2", 81, { namespace: "shop" })]);
  expect(compileServiceRoutes(NAME, [home], world([HTTP])).outcomes[0]?.unresolved).toStrictEqual(
    [],
  );
});

test("compileServiceRoutes(): a rule that cannot be read answers 500 in its place, and the route's others hold", () => {
  const route = http("shop/r", [
    to("v2", 81),
    {
      matches: [{ path: { value: "/admin" } }],
      filters: [{ type: "ExternalAuth" }],
      ...to("v2", 81),
    },
  ]);
  const { routes, outcomes } = compileServiceRoutes(NAME, [route], world([HTTP]));
  expect(routes?.tables[0]?.rules).toMatchObject([
    { rule: "1", match: { path: { value: "/admin" } }, filters: [], backends: [] },
    { rule: "0", match: { path: { value: "" } }, backends: [{ weight: 1 }] },
  ]);
  expect(outcomes).toMatchObject([{ reason: "Accepted" }]);
});
