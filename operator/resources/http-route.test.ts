import { expect, test } from "@jest/globals";
import { parentRef, routeObject } from "../../test/fakes/route-objects.ts";
import { parseHttpRoute } from "./http-route.ts";
import type { RuleReading, RuleSpec } from "./route.ts";

function readings(...rules: readonly object[]): readonly RuleReading[] {
  const route = routeObject("HTTPRoute", "shop/r", { parents: [parentRef("web")], rules });
  return parseHttpRoute(route, (source) => source.startsWith("ok")).rules;
}

function only(rule: object): RuleSpec {
  const [reading] = readings(rule);
  if (reading?.kind !== "read") throw new Error(JSON.stringify(reading));
  return reading.value;
}

function reasons(rule: object): readonly string[] {
  const [reading] = readings(rule);
  if (reading?.kind !== "unread") throw new Error("was read");
  return reading.reasons.map(({ field, message }) => `${reading.reason} ${field}: ${message}`);
}

const WEB = { name: "web", port: 80 };

test("parseHttpRoute(): a rule without matches, and a route without rules, match every path", () => {
  const every = { path: { kind: "prefix", value: "" }, headers: [], query: [], method: "" };
  expect(only({ backendRefs: [WEB] }).matches.map(({ match }) => match)).toStrictEqual([every]);
  expect(only({ matches: [] }).matches.map(({ match }) => match)).toStrictEqual([every]);
  const object = routeObject("HTTPRoute", "shop/r", { parents: [] });
  const { rules } = parseHttpRoute(object, () => true);
  expect(rules).toMatchObject([
    { kind: "read", value: { matches: [{ match: every }], backends: [] } },
  ]);
});

test("parseHttpRoute(): matches in all their forms", () => {
  const { matches } = only({
    matches: [
      { path: { type: "Exact", value: "/v1/" }, method: "POST" },
      { path: { value: "/a/b/" } },
      { path: { type: "RegularExpression", value: "ok.*" } },
      {
        headers: [
          { name: "Version", value: "two" },
          { name: "version", value: "three" },
          { type: "RegularExpression", name: "X-A", value: "ok+" },
        ],
        queryParams: [
          { name: "Animal", value: "whale" },
          { name: "animal", value: "dolphin" },
        ],
      },
    ],
  });
  const none = { headers: [], query: [], method: "" };
  expect(matches.map(({ match }) => match)).toStrictEqual([
    { ...none, path: { kind: "exact", value: "/v1/" }, method: "POST" },
    { ...none, path: { kind: "prefix", value: "/a/b" } },
    { ...none, path: { kind: "regex", value: "ok.*" } },
    {
      path: { kind: "prefix", value: "" },
      headers: [
        { name: "version", value: { kind: "exact", value: "two" } },
        { name: "x-a", value: { kind: "regex", value: "ok+" } },
      ],
      query: [
        { name: "Animal", value: { kind: "exact", value: "whale" } },
        { name: "animal", value: { kind: "exact", value: "dolphin" } },
      ],
      method: "",
    },
  ]);
});

test("parseHttpRoute(): every filter becomes what nodes apply", () => {
  const { filters } = only({
    matches: [{ path: { value: "/old" } }],
    filters: [
      {
        type: "RequestHeaderModifier",
        requestHeaderModifier: {
          set: [
            { name: "X-A", value: "1" },
            { name: "x-a", value: "2" },
          ],
          add: [{ name: "X-B", value: "b, c" }],
          remove: ["X-C"],
        },
      },
      { type: "ResponseHeaderModifier", responseHeaderModifier: { remove: ["Server"] } },
      {
        type: "URLRewrite",
        urlRewrite: {
          hostname: "new.example",
          path: { type: "ReplacePrefixMatch", replacePrefixMatch: "/new" },
        },
      },
      {
        type: "RequestMirror",
        requestMirror: { backendRef: { name: "copy", port: 81 }, percent: 5 },
      },
      {
        type: "RequestMirror",
        requestMirror: {
          backendRef: { name: "copy", namespace: "lab", port: 81 },
          fraction: { numerator: 1, denominator: 3 },
        },
      },
      { type: "CORS", cors: { allowOrigins: ["https://*.example"], allowMethods: ["GET", "*"] } },
    ],
  });
  expect(filters).toMatchObject([
    { kind: "requestHeaders", set: [["X-A", "1"]], add: [["X-B", "b, c"]], remove: ["X-C"] },
    { kind: "responseHeaders", set: [], add: [], remove: ["Server"] },
    { kind: "rewrite", hostname: "new.example", path: { kind: "prefix", value: "/new" } },
    { kind: "mirror", target: { namespace: "shop", name: "copy" }, numerator: 5, denominator: 100 },
    { kind: "mirror", target: { namespace: "lab" }, numerator: 1, denominator: 3 },
    { kind: "cors", origins: ["https://*.example"], methods: ["GET", "*"], maxAgeSeconds: 5 },
  ]);
});

test("parseHttpRoute(): a redirect has the API's defaults", () => {
  const redirect = { type: "RequestRedirect", requestRedirect: { scheme: "https" } };
  expect(only({ filters: [redirect] }).filters).toStrictEqual([
    { kind: "redirect", scheme: "https", hostname: "", port: 0, path: undefined, status: 302 },
  ]);
});

test("parseHttpRoute(): backends, timeouts, retries and sessions", () => {
  const rule = only({
    name: "named",
    backendRefs: [WEB, { name: "other", namespace: "lab", port: 81, weight: 0 }],
    timeouts: { request: "1m30s", backendRequest: "250ms" },
    retry: { codes: [500, 503, 500], attempts: 3, backoff: "1s" },
    sessionPersistence: {
      absoluteTimeout: "1h",
      cookie: { name: "stick", lifetimeType: "Permanent" },
    },
  });
  expect(rule).toMatchObject({
    rule: "named",
    backends: [
      { target: { namespace: "shop", name: "web", port: 80 }, weight: 1 },
      { target: { namespace: "lab", name: "other", port: 81 }, weight: 0 },
    ],
    requestTimeoutMs: 90_000,
    backendTimeoutMs: 250,
    retry: { codes: [500, 503], attempts: 3, backoffMs: 1000 },
    session: { kind: "cookie", name: "stick", absoluteTimeoutMs: 3_600_000, isPermanent: true },
  });
  expect(only({ retry: { attempts: 0, codes: [500] } }).retry).toBeUndefined();
  expect(only({ retry: {} }).retry).toStrictEqual({ codes: [], attempts: 1, backoffMs: 25 });
  expect(only({ timeouts: { request: "0s", backendRequest: "5s" } })).toMatchObject({
    requestTimeoutMs: 0,
    backendTimeoutMs: 5000,
  });
  expect(only({ sessionPersistence: {} }).session?.name).toBe("weft_shop_r_0");
  expect(
    only({ sessionPersistence: { type: "Header", header: { name: "X-S" } } }).session,
  ).toMatchObject({ kind: "header", name: "X-S" });
});

test.each<[string, object]>([
  ["path //", { matches: [{ path: { value: "/a//b" } }] }],
  ["path /../", { matches: [{ path: { type: "Exact", value: "/a/.." } }] }],
  ["path %2f", { matches: [{ path: { value: "/a%2Fb" } }] }],
  ["path without /", { matches: [{ path: { value: "a" } }] }],
  ["path type", { matches: [{ path: { type: "Glob", value: "/a" } }] }],
  ["method", { matches: [{ method: "BREW" }] }],
  ["expression", { matches: [{ path: { type: "RegularExpression", value: "(bad" } }] }],
  ["header name", { matches: [{ headers: [{ name: "a b", value: "c" }] }] }],
  ["filter type", { filters: [{ type: "ExternalAuth", externalAuth: {} }] }],
  ["filter member", { filters: [{ type: "CORS" }] }],
  [
    "framing header",
    {
      filters: [
        { type: "RequestHeaderModifier", requestHeaderModifier: { remove: ["Content-Length"] } },
      ],
    },
  ],
  [
    "two actions of one header",
    {
      filters: [
        {
          type: "RequestHeaderModifier",
          requestHeaderModifier: { set: [{ name: "A", value: "1" }], remove: ["a"] },
        },
      ],
    },
  ],
  [
    "header of two lines",
    {
      filters: [
        {
          type: "ResponseHeaderModifier",
          responseHeaderModifier: { set: [{ name: "A", value: "1\r\nB: 2" }] },
        },
      ],
    },
  ],
  [
    "redirect status",
    { filters: [{ type: "RequestRedirect", requestRedirect: { statusCode: 300 } }] },
  ],
  [
    "prefix of an exact path",
    {
      matches: [{ path: { type: "Exact", value: "/a" } }],
      filters: [
        {
          type: "URLRewrite",
          urlRewrite: { path: { type: "ReplacePrefixMatch", replacePrefixMatch: "/b" } },
        },
      ],
    },
  ],
  ["backend without port", { backendRefs: [{ name: "web" }] }],
  ["weight", { backendRefs: [{ ...WEB, weight: -1 }] }],
  ["duration", { timeouts: { request: "5 s" } }],
  ["backend timeout", { timeouts: { request: "1s", backendRequest: "2s" } }],
  ["retry code", { retry: { codes: [200] } }],
  ["unknown field", { shadow: true }],
])("parseHttpRoute(): a rule with a bad %s is none, and says why", (_what, rule) => {
  expect(reasons({ backendRefs: [WEB], ...rule })).toMatchObject([
    expect.stringMatching(/^UnsupportedValue spec\.rules\[0\]/),
  ]);
});

test("parseHttpRoute(): filters that exclude each other have a reason of their own", () => {
  const redirect = { type: "RequestRedirect", requestRedirect: {} };
  const rewrite = { type: "URLRewrite", urlRewrite: {} };
  for (const rule of [
    { filters: [redirect, rewrite] },
    { filters: [rewrite, rewrite] },
    { filters: [redirect], backendRefs: [WEB] },
    { backendRefs: [{ ...WEB, filters: [redirect, rewrite] }] },
  ]) {
    expect(reasons(rule)).toMatchObject([expect.stringMatching(/^IncompatibleFilters /)]);
  }
});

test("parseHttpRoute(): of a rule that cannot be read the matches that can are kept", () => {
  const [reading] = readings({
    matches: [{ path: { value: "/good" } }, { path: { value: "bad" } }],
    backendRefs: [WEB],
  });
  expect(reading).toMatchObject({
    kind: "unread",
    matches: [{ match: { path: { kind: "prefix", value: "/good" } } }],
  });
});

test("parseHttpRoute(): only Services are parents, and hostnames do not count", () => {
  const object = routeObject("HTTPRoute", "shop/r", {
    parents: [
      { name: "gateway" },
      { group: "", kind: "Gateway", name: "other" },
      parentRef("web", { port: 80, sectionName: "http" }),
      parentRef("lab/api"),
    ],
  });
  const spec = { ...Object(object.spec), hostnames: ["a.example"] };
  const route = parseHttpRoute({ ...object, spec }, () => true);
  expect(route.parents).toMatchObject([
    { namespace: "shop", name: "web", port: 80, sectionName: "http" },
    { namespace: "lab", name: "api", port: 0, sectionName: "" },
  ]);
  expect(route.warnings).toMatchObject([{ field: "spec.hostnames" }]);
});
