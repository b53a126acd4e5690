import { expect, test } from "@jest/globals";
import type {
  PathMatch,
  RouteBackend,
  RouteFilter,
  RouteMatch,
  RouteRule,
  RouteTable,
} from "../../../core/model/http-route.ts";
import type { RequestHead } from "../message.ts";
import { compileTable } from "./compile-table.ts";
import type { RoutePlan } from "./route-plan.ts";

const HEAD: RequestHead = {
  method: "GET",
  scheme: "http",
  authority: "echo",
  path: "/",
  query: "",
  fields: [],
  upgrade: "",
  version: "1.1",
};

interface Rule extends Partial<RouteMatch> {
  readonly filters?: readonly RouteFilter[];
  readonly backends?: readonly RouteBackend[];
}

/** Rules go to Services of their own number. */
function tableOf(rules: readonly Rule[]): RouteTable {
  return { port: 80, consumer: "", rules: rules.map(ruleOf) };
}

function ruleOf(rule: Rule, index: number): RouteRule {
  const { path = prefix(""), headers = [], query = [], method = "" } = rule;
  return {
    kind: "HTTPRoute",
    route: "shop/route",
    rule: String(index),
    match: { path, headers, query, method },
    filters: rule.filters ?? [],
    backends: rule.backends ?? [backend(`shop/v${index}`)],
    requestTimeoutMs: 0,
    backendTimeoutMs: 0,
    retry: undefined,
    session: undefined,
  };
}

function backend(service: string, weight = 1, filters: readonly RouteFilter[] = []): RouteBackend {
  return { to: service === "" ? undefined : { service, port: 8080 }, weight, filters };
}

function prefix(value: string): PathMatch {
  return { kind: "prefix", value };
}

function exact(value: string): PathMatch {
  return { kind: "exact", value };
}

function regex(value: string): PathMatch {
  return { kind: "regex", value };
}

function named(name: string, value: string, kind: "exact" | "regex" = "exact") {
  return [{ name, value: { kind, value } }];
}

function whole(source: string): (text: string) => boolean {
  const expression = new RegExp(`^(?:${source})$`);
  return (text) => expression.test(text);
}

function planOf(rules: readonly Rule[], head: Partial<RequestHead>, draws = [0]): RoutePlan {
  const left = [...draws];
  return compileTable(tableOf(rules), whole).plan({ ...HEAD, ...head }, () => left.shift() ?? 0);
}

/** Number of the rule, or the status of what is answered instead. */
function routed(rules: readonly Rule[], head: Partial<RequestHead>): number {
  const plan = planOf(rules, head);
  return plan.kind === "answer" ? plan.status : Number(plan.rule.rule);
}

test.each([
  [exact("/abc"), { path: "/abc" }, true],
  [exact("/abc"), { path: "/abc", query: "?a" }, true],
  [exact("/abc"), { path: "/abc/" }, false],
  [exact("/abc"), { path: "/Abc" }, false],
  [exact("/abc"), { path: "/abcd" }, false],
  [prefix("/abc"), { path: "/abc" }, true],
  [prefix("/abc"), { path: "/abc/" }, true],
  [prefix("/abc"), { path: "/abc/def" }, true],
  [prefix("/abc"), { path: "/abcd" }, false],
  [prefix("/abc"), { path: "/Abc" }, false],
  [prefix("/abc"), { path: "/x/abc" }, false],
  [prefix("/abc/def"), { path: "/abc/def/x/y/z" }, true],
  [prefix("/abc/def"), { path: "/abc/d" }, false],
  [prefix("/abc/def"), { path: "/abc" }, false],
  [prefix(""), { path: "/" }, true],
  [prefix(""), { path: "/any/thing" }, true],
  [prefix(""), { path: "//" }, true],
  [prefix(""), { path: "*", method: "OPTIONS" }, true],
  [prefix("/abc"), { path: "*", method: "OPTIONS" }, false],
  [regex("/a[bc]"), { path: "/ab" }, true],
  [regex("/a[bc]"), { path: "/abd" }, false],
  [regex("/a[bc]"), { path: "/x/ab" }, false],
  [regex("/a|/b"), { path: "/b" }, true],
  [regex("/a|/b"), { path: "/bc" }, false],
  [regex("(unclosed"), { path: "/" }, false],
] as const)("compileTable(): the path %j and %j: %s", (path, head, expected) => {
  expect(routed([{ path }], head)).toBe(expected ? 0 : 404);
});

test.each([
  [named("version", "one"), ["version", "one"], true],
  [named("version", "one"), ["version", "One"], false],
  [named("version", "one"), ["version", "one1"], false],
  [named("version", "one"), [], false],
  [named("version", ""), ["version", ""], true],
  [named("version", "one,two"), ["version", "one", "a", "b", "version", "two"], true],
  [named("version", "one"), ["version", "one", "version", "two"], false],
  [named("cookie", "a=1; b=2"), ["cookie", "a=1", "cookie", "b=2"], true],
  [named("version", "o.e", "regex"), ["version", "one"], true],
  [named("version", "o.e", "regex"), ["version", "ones"], false],
  [named("version", "(", "regex"), ["version", "("], false],
  [named("host", "echo"), [], true],
  [[...named("a", "1"), ...named("b", "2")], ["b", "2", "a", "1"], true],
  [[...named("a", "1"), ...named("b", "2")], ["b", "2"], false],
  // "Subsequent entries with an equivalent header name MUST be ignored."
  [[...named("a", "1"), ...named("a", "2")], ["a", "1"], true],
] as const)("compileTable(): the headers %j and %j: %s", (headers, fields, expected) => {
  expect(routed([{ headers }], { fields })).toBe(expected ? 0 : 404);
});

test.each([
  [named("animal", "whale"), "?animal=whale", true],
  [named("animal", "whale"), "?animal=whale&color=blue", true],
  [named("animal", "whale"), "?color=blue&animal=whale", true],
  [named("animal", "whale"), "?animal=whaledolphin", false],
  [named("animal", "whale"), "?Animal=whale", false],
  [named("animal", "whale"), "?xanimal=whale", false],
  [named("animal", "whale"), "", false],
  [named("animal", "whale"), "?animal=dog&animal=whale", false],
  [named("animal", "whale"), "?animal=whale&animal=dog", true],
  [named("animal", "whale"), "?anim%61l=wh%61le", true],
  [named("animal", "blue whale"), "?animal=blue+whale", true],
  [named("animal", "blue whale"), "?animal=blue%20whale", true],
  [named("animal", "a+b=c&d"), "?animal=a%2Bb=c%26d", true],
  [named("animal", "\u00e4"), "?animal=%C3%A4", true],
  [named("animal", "100%"), "?animal=100%", true],
  [named("animal", "%ff\u00e4"), "?animal=%ff%C3%A4", false],
  [named("animal", "%ff"), "?animal=%ff", true],
  [named("animal", ""), "?animal", true],
  [named("animal", ""), "?animal=", true],
  [named("animal", ""), "?&&animal&", true],
  [named("animal", "wh.*", "regex"), "?animal=whale", true],
  [named("animal", "wh", "regex"), "?animal=whale", false],
] as const)("compileTable(): the query %j and %s: %s", (query, text, expected) => {
  expect(routed([{ query }], { query: text })).toBe(expected ? 0 : 404);
});

test("compileTable(): a WebSocket over HTTP/2 is a GET", () => {
  const rules = [{ method: "POST" }, { method: "GET" }];
  expect(routed(rules, { method: "POST" })).toBe(0);
  expect(routed(rules, { method: "CONNECT", upgrade: "websocket", version: "2" })).toBe(1);
  expect(routed(rules, { method: "PUT" })).toBe(404);
});

// Gateway API, MeshHTTPRouteMatching and MeshHTTPRouteQueryParamMatching, rules in order of precedence.
test.each([
  [{ path: "/" }, 3],
  [{ path: "/example" }, 3],
  [{ path: "/", fields: ["version", "one"] }, 1],
  [{ path: "/v2" }, 0],
  [{ path: "/v2/example" }, 0],
  [{ path: "/", fields: ["version", "two"] }, 2],
  [{ path: "/v2/" }, 0],
  [{ path: "/v2example" }, 3],
  [{ path: "/foo/v2/example" }, 3],
  [{ path: "/foo/v2/example", fields: ["a", "b", "version", "two"] }, 2],
])("compileTable(): by path and header %j goes to rule %i", (head, expected) => {
  const rules = [
    { path: prefix("/v2") },
    { headers: named("version", "one") },
    { headers: named("version", "two") },
    {},
  ];
  expect(routed(rules, head)).toBe(expected);
});

test("compileTable(): the first rule wins, whatever it matches by", () => {
  const all = [regex("/a/.*"), prefix("/a"), exact("/a/b"), prefix(""), prefix("/a/b")];
  for (let turn = 0; turn < all.length; turn += 1) {
    const rules = [...all.slice(turn), ...all.slice(0, turn)].map((path) => ({ path }));
    expect(routed(rules, { path: "/a/b" })).toBe(0);
  }
});

test("compileTable(): a path of thousands of elements costs no more than the longest prefix has", () => {
  const path = `/a${"/".repeat(60_000)}`;
  const table = compileTable(tableOf([{ path: prefix("/a/b") }, { path: prefix("/a") }]), whole);
  const rules = new Set<string | undefined>();
  for (let i = 0; i < 2_000; i += 1) {
    rules.add(table.plan({ ...HEAD, path }, () => 0).rule?.rule);
  }
  expect([...rules]).toEqual(["1"]);
});

test("compileTable(): nothing is remembered of the request before", () => {
  const table = compileTable(
    tableOf([{ headers: named("a", "1"), query: named("b", "2") }]),
    whole,
  );
  const head = { ...HEAD, fields: ["a", "1"], query: "?b=2" };
  expect(table.plan(head, () => 0).kind).toBe("forward");
  expect(table.plan({ ...head, query: "" }, () => 0).kind).toBe("answer");
  expect(table.plan({ ...head, fields: [] }, () => 0).kind).toBe("answer");
  expect(table.plan(head, () => 0).kind).toBe("forward");
});

function serviceAt(backends: readonly RouteBackend[], drawn: number): string | number {
  const plan = planOf([{ backends }], {}, [drawn]);
  return plan.kind === "forward" ? plan.to.service : plan.status;
}

test("compileTable(): each backend gets its weight's share", () => {
  const backends = [backend("a/a", 1), backend("a/b", 0), backend("a/c", 3), backend("", 4)];
  const counts = new Map<string | number, number>();
  for (let i = 0; i < 800; i += 1) {
    const service = serviceAt(backends, i / 800);
    counts.set(service, (counts.get(service) ?? 0) + 1);
  }
  expect(Object.fromEntries(counts)).toEqual({ "a/a": 100, "a/c": 300, 500: 400 });
});

test("compileTable(): no backend, or none with a weight, is answered 500", () => {
  const refusal = { kind: "answer", status: 500, reason: "backend_invalid", fields: [] };
  for (const backends of [[], [backend("a/a", 0), backend("a/b", 0)], [backend("", 1)]]) {
    expect(planOf([{ backends }], {}, [0.5])).toMatchObject(refusal);
  }
  expect(planOf([], {})).toEqual({
    kind: "answer",
    rule: undefined,
    status: 404,
    reason: "route_not_found",
    fields: [],
  });
});

function change(kind: "requestHeaders" | "responseHeaders", value: string): RouteFilter {
  return { kind, set: [], add: [["x-a", value]], remove: [] };
}

test("compileTable(): filters apply in their order, those of the backend after those of the rule", () => {
  const own = [change("requestHeaders", "3"), change("responseHeaders", "c")];
  const filters: readonly RouteFilter[] = [
    change("requestHeaders", "1"),
    { kind: "rewrite", hostname: "one.example", path: { kind: "prefix", value: "/xyz" } },
    change("requestHeaders", "2"),
    change("responseHeaders", "a"),
    change("responseHeaders", "b"),
  ];
  const rule = { path: prefix("/foo"), filters, backends: [backend("a/a", 1, own)] };
  const plan = planOf([rule], { path: "/foo/bar", query: "?q", fields: ["x-a", "0"] });
  expect(plan).toMatchObject({
    kind: "forward",
    to: { service: "a/a", port: 8080 },
    head: { authority: "one.example", path: "/xyz/bar", query: "?q", fields: ["x-a", "0,1,2,3"] },
    mirrors: [],
  });
  const response = { status: 200, fields: ["x-b", "z"] };
  expect(plan.kind === "forward" && plan.changeResponse?.(response)).toEqual({
    status: 200,
    fields: ["x-b", "z", "x-a", "a,b,c"],
  });
});

test("compileTable(): a request that nothing changes goes on as the same object", () => {
  const head = { ...HEAD };
  const plan = compileTable(tableOf([{}]), whole).plan(head, () => 0);
  expect(plan.kind === "forward" && plan.head).toBe(head);
  expect(plan.kind === "forward" && plan.changeResponse).toBeUndefined();
});

test("compileTable(): the host is set as any header", () => {
  const set = [["Host", "other.example:81"]] as const;
  const filters: readonly RouteFilter[] = [{ kind: "requestHeaders", set, add: [], remove: [] }];
  expect(planOf([{ filters }], {})).toMatchObject({
    head: { authority: "other.example:81", fields: [] },
  });
});

test("compileTable(): a redirect needs no backend, and response headers are changed on it too", () => {
  const redirect: RouteFilter = {
    kind: "redirect",
    scheme: "https",
    hostname: "",
    port: 0,
    path: { kind: "prefix", value: "/" },
    status: 301,
  };
  const filters = [redirect, change("responseHeaders", "1")];
  const rule = { path: prefix("/foo"), filters, backends: [] };
  expect(planOf([rule], { path: "/foo/bar" })).toMatchObject({
    kind: "answer",
    status: 301,
    reason: "",
    fields: ["location", "https://echo/bar", "x-a", "1"],
  });
});

function mirror(service: string, numerator: number, denominator: number): RouteFilter {
  const to = service === "" ? undefined : { service, port: 1 };
  return { kind: "mirror", to, numerator, denominator };
}

test("compileTable(): each mirror draws for itself, and one that does not resolve is left out", () => {
  const filters = [
    mirror("a/a", 1, 4),
    mirror("", 1, 1),
    mirror("a/b", 100, 100),
    mirror("a/c", 0, 100),
  ];
  let both = 0;
  for (let i = 0; i < 400; i += 1) {
    const plan = planOf([{ filters }], {}, [i / 400, 0.999, 0]);
    const services = plan.kind === "forward" ? plan.mirrors.map(({ service }) => service) : [];
    expect(services.at(-1)).toBe("a/b");
    both += services.includes("a/a") ? 1 : 0;
  }
  expect(both).toBe(100);
});

const CORS: RouteFilter = {
  kind: "cors",
  origins: ["https://app.example"],
  credentials: false,
  methods: ["POST"],
  requestHeaders: [],
  exposeHeaders: [],
  maxAgeSeconds: 5,
};
const PREFLIGHT = {
  method: "OPTIONS",
  fields: ["origin", "https://app.example", "access-control-request-method", "POST"],
};

test("compileTable(): a preflight is answered, by the rule for the method that it asks for too", () => {
  const allowed = ["access-control-allow-origin", "https://app.example"];
  for (const rules of [[{ filters: [CORS] }], [{ method: "POST", filters: [CORS] }, {}]]) {
    expect(planOf(rules, PREFLIGHT)).toMatchObject({
      kind: "answer",
      status: 204,
      reason: "",
      fields: expect.arrayContaining(allowed),
    });
  }
  expect(routed([{ method: "PUT", filters: [CORS] }, {}], PREFLIGHT)).toBe(1);
  expect(routed([{ filters: [CORS] }], { method: "OPTIONS" })).toBe(0);
});

test("compileTable(): what CORS says of a response is said after all else has changed it", () => {
  const set = [["access-control-allow-origin", "*"]] as const;
  const filters = [CORS, { kind: "responseHeaders", set, add: [], remove: [] } as const];
  const plan = planOf([{ filters }], { fields: ["origin", "https://app.example"] });
  const response = plan.kind === "forward" && plan.changeResponse?.({ status: 200, fields: [] });
  expect(response).toEqual({
    status: 200,
    fields: ["vary", "origin", "access-control-allow-origin", "https://app.example"],
  });
});
