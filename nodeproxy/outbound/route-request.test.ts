import { expect, test } from "@jest/globals";
import type { HttpVersion } from "../../core/model/enrolment.ts";
import type { RouteRule, RouteTable } from "../../core/model/http-route.ts";
import type { Resource } from "../../core/model/resource.ts";
import type { Service } from "../../core/model/service.ts";
import { backendsTo, routeRule } from "../../test/fakes/route-rule.ts";
import type { RequestHead } from "../http/message.ts";
import { Current } from "../state/current.ts";
import { routeRequest } from "./route-request.ts";

const HEAD: RequestHead = {
  method: "GET",
  scheme: "http",
  authority: "web",
  path: "/a",
  query: "",
  fields: [],
  upgrade: "",
  version: "1.1",
};

function service(name: string, http?: HttpVersion): Service {
  const rest = { algorithm: "round_robin", localOnly: false, distribution: "anywhere" } as const;
  const spoken = http ? { http } : {};
  const ports = [80, 8080].map((port) => ({ port, name: `p${port}`, appProtocol: "", ...spoken }));
  return { namespace: "shop", name, addresses: [], ports, ...rest, affinitySeconds: 0 };
}

const WEB = service("web", "http1");

function table(rules: readonly RouteRule[], part: Partial<RouteTable> = {}): RouteTable {
  return { port: 80, consumer: "", rules, ...part };
}

function put(view: Current, tables: readonly RouteTable[], services: readonly Service[] = []) {
  const upserts: Resource[] = services.map((value) => ({
    name: `shop/${value.name}`,
    version: "",
    body: { kind: "service", value },
  }));
  const value = { service: "shop/web", tables };
  upserts.push({ name: "shop/web", version: "", body: { kind: "routes", value } });
  expect(view.apply({ upserts, removals: [] }).kind).toBe("applied");
}

function viewOf(tables: readonly RouteTable[], ...services: readonly Service[]): Current {
  const view = new Current();
  put(view, tables, [WEB, service("v1"), service("v2"), ...services]);
  return view;
}

function route(view: Current, part: Partial<RequestHead> = {}, namespace = "shop") {
  const call = { service: WEB, port: 80, version: "http1" } as const;
  return routeRequest({ view, namespace }, call, { ...HEAD, ...part });
}

test("routeRequest(): without routes a request goes to the Service that was called, as it is", () => {
  const view = viewOf([table([routeRule({ backends: backendsTo("v1") })])]);
  const call = { service: WEB, port: 8080, version: "http1" } as const;
  expect(routeRequest({ view, namespace: "shop" }, call, HEAD)).toMatchObject({
    kind: "forward",
    rule: undefined,
    call: { service: WEB, port: 8080 },
    version: "http1",
    head: HEAD,
  });
});

test("routeRequest(): a namespace's own table replaces the one for all, for callers there alone", () => {
  const view = viewOf([
    table([routeRule({ rule: "own", backends: backendsTo("v2") })], { consumer: "cart" }),
    table([routeRule({ backends: backendsTo("v1") })]),
    table([], { consumer: "till" }),
  ]);
  expect(route(view)).toMatchObject({ call: { service: { name: "v1" }, port: 80 } });
  expect(route(view, {}, "cart")).toMatchObject({
    rule: { rule: "own" },
    call: { service: { name: "v2" } },
  });
  expect(route(view, {}, "till")).toMatchObject({ kind: "answer", reason: "route_not_found" });
});

test("routeRequest(): routes that change hold from the next request on", () => {
  const view = viewOf([table([routeRule({ backends: backendsTo("v1") })])]);
  expect(route(view)).toMatchObject({ call: { service: { name: "v1" } } });
  put(view, [table([routeRule({ backends: backendsTo("v2") })])]);
  expect(route(view)).toMatchObject({ call: { service: { name: "v2" } } });
});

test("routeRequest(): a backend whose Service or port is gone is answered 500", () => {
  const gone = { to: { service: "shop/v1", port: 81 }, weight: 1, filters: [] };
  for (const backends of [backendsTo("v9"), [gone], []]) {
    expect(route(viewOf([table([routeRule({ backends })])]))).toMatchObject({
      kind: "answer",
      status: 500,
      reason: "backend_invalid",
      rule: { route: "shop/web" },
    });
  }
});

test("routeRequest(): a backend speaks what its port says, else as the caller, and gRPC HTTP/2 always", () => {
  const modern = service("modern", "http2");
  function versionTo(name: string, kind: RouteRule["kind"] = "HTTPRoute") {
    return route(viewOf([table([routeRule({ kind, backends: backendsTo(name) })])], modern));
  }
  expect(versionTo("v1")).toMatchObject({ version: "http1" });
  expect(versionTo("modern")).toMatchObject({ version: "http2" });
  expect(versionTo("v1", "GRPCRoute")).toMatchObject({ version: "http2" });
});

test("routeRequest(): expressions are RE2's, and one that is none matches nothing", () => {
  const path = { kind: "regex", value: "/v[0-9]+" } as const;
  const bad = { kind: "regex", value: "(?=a)" } as const;
  const all = { headers: [], query: [], method: "" };
  const view = viewOf([
    table([
      routeRule({ match: { ...all, path: bad }, backends: backendsTo("v1") }),
      routeRule({ match: { ...all, path }, backends: backendsTo("v2") }),
    ]),
  ]);
  expect(route(view, { path: "/v22" })).toMatchObject({ call: { service: { name: "v2" } } });
  expect(route(view, { path: "/v22/a" })).toMatchObject({ status: 404 });
});

test("routeRequest(): mirrors are Services that are there", () => {
  const filters = ["v2", "v9"].map((name) => ({
    kind: "mirror" as const,
    to: { service: `shop/${name}`, port: 80 },
    numerator: 1,
    denominator: 1,
  }));
  const routed = route(viewOf([table([routeRule({ filters, backends: backendsTo("v1") })])]));
  expect(routed).toMatchObject({ mirrors: [{ service: { name: "v2" }, port: 80 }] });
});
