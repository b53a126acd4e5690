/** HTTP/1 requests of a captured pod to a Service that has routes, in real namespaces: each goes where its rule says, as it says. */
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Server as NetServer, Socket } from "node:net";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "@jest/globals";
import type { RouteRule, RouteTable } from "../../core/model/http-route.ts";
import { backendsTo, routeRule } from "../fakes/route-rule.ts";
import { until } from "../world/until.ts";
import { Caller, putService } from "./balanced-service.ts";
import { listenInPod } from "./pod-network.ts";
import { createTrafficMesh, type LoggedConnection, type TrafficMesh } from "./traffic-mesh.ts";

/** Of Services, and where their endpoints listen. */
const V1 = 8081;
const V2 = 8082;
const START_MS = 60_000;
const ANY = { headers: [], query: [], method: "" };
let mesh: TrafficMesh;
const listeners: NetServer[] = [];
const open = new Set<Socket>();
const callers: Caller[] = [];
const application: Server = createServer(answer);
/** `port method url`, of each that came. */
const seen: string[] = [];

beforeAll(async () => {
  mesh = await createTrafficMesh("wt-routes");
  for (const port of [V1, V2]) {
    listeners.push(await listenInPod(mesh.network.b, { port, family: 4 }, serve));
  }
  putService(mesh, { name: "v1", ports: [V1], address: "10.96.0.11", version: "opaque" });
  putService(mesh, { name: "v2", ports: [V2], address: "10.96.0.12", version: "opaque" });
  putService(mesh, { name: "empty", ports: [], address: "10.96.0.13" });
  putService(mesh, { name: "modern", ports: [V2], address: "10.96.0.14", version: "http2" });
  putService(mesh, { name: "web", ports: [V1] });
}, START_MS);

beforeEach(() => {
  mesh.a.ended.length = 0;
  seen.length = 0;
});

afterEach(() => {
  for (const caller of callers.splice(0)) caller.close();
  mesh.remove({ kind: "routes", name: "shop/web" });
});

afterAll(async () => {
  for (const socket of open) socket.destroy();
  await Promise.all(listeners.map((server) => once(server.close(), "close")));
  await mesh[Symbol.asyncDispose]();
});

function serve(socket: Socket): void {
  open.add(socket);
  socket.on("error", () => undefined).once("close", () => open.delete(socket));
  application.emit("connection", socket);
}

/** What it was asked, as it came: its port, its target and its fields. */
function answer(request: IncomingMessage, response: ServerResponse): void {
  const { method, url, headers, socket } = request;
  const port = socket.localPort ?? 0;
  seen.push(`${port} ${method} ${url}`);
  let body = "";
  request.on("data", (chunk: Buffer) => {
    body += chunk.toString();
  });
  request.once("end", () => {
    response.setHeader("x-from", "app");
    response.end(JSON.stringify({ port, url, headers, body }));
  });
}

interface Seen {
  readonly port: number;
  readonly url: string;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

function saw({ body }: { readonly body: string }): Seen {
  return JSON.parse(body) as Seen;
}

function route(rules: readonly RouteRule[], ...more: readonly RouteTable[]): void {
  const tables = [{ port: 80, consumer: "", rules }, ...more];
  mesh.put({ kind: "routes", value: { service: "shop/web", tables } });
}

function call(sockets = 1): Caller {
  const caller = new Caller(mesh, sockets);
  callers.push(caller);
  return caller;
}

/** Of a's log, once there are so many. */
async function requests(count: number): Promise<readonly LoggedConnection[]> {
  return until(`${count} requests in the log`, () => {
    const lines = mesh.a.ended.filter(({ facts }) => facts.request);
    return lines.length >= count ? lines : undefined;
  });
}

test("path and header choose the rule, each request for itself, and the log says which", async () => {
  const canary = { name: "x-user", value: { kind: "exact", value: "tester" } } as const;
  route([
    routeRule({
      rule: "two",
      match: { ...ANY, path: { kind: "exact", value: "/v2" } },
      backends: backendsTo("v2"),
    }),
    routeRule({
      rule: "canary",
      match: { ...ANY, path: { kind: "prefix", value: "" }, headers: [canary] },
      backends: backendsTo("v2"),
    }),
    routeRule({ rule: "rest", backends: backendsTo("v1") }),
  ]);
  const caller = call();
  expect(saw(await caller.get("/"))).toMatchObject({ port: V1, headers: { host: "api.shop" } });
  expect(saw(await caller.get("/v2?a=b"))).toMatchObject({ port: V2, url: "/v2?a=b" });
  expect(saw(await caller.get("/v2/more"))).toMatchObject({ port: V1 });
  expect(saw(await caller.get("/", { headers: { "X-User": "tester" } })).port).toBe(V2);
  expect(caller.opened).toHaveLength(1);
  const lines = await requests(4);
  expect(lines.map(({ facts }) => [facts.service, facts.request?.routeRule])).toEqual([
    ["shop/v1", "rest"],
    ["shop/v2", "two"],
    ["shop/v1", "rest"],
    ["shop/v2", "canary"],
  ]);
  expect(lines[0]?.facts).toMatchObject({ tunnelled: true, request: { route: "shop/web" } });
});

test("of a thousand requests each of two backends gets its half, within five sigma", async () => {
  route([routeRule({ backends: backendsTo("v1", "v2") })]);
  const caller = call();
  for (let i = 0; i < 1_000; i += 1) await caller.get("/");
  const first = seen.filter((line) => line.startsWith(`${V1} `)).length;
  expect(seen).toHaveLength(1_000);
  // Of a binomial distribution of 1,000 halves one sigma is 15.8: five, so that chance fails it once in a million times.
  expect(Math.abs(first - 500)).toBeLessThan(80);
});

test("a prefix is rewritten, fields change both ways, and the host stays", async () => {
  const change = { set: [], add: [], remove: [] };
  route([
    routeRule({
      match: { ...ANY, path: { kind: "prefix", value: "/api" } },
      filters: [
        { kind: "rewrite", hostname: "", path: { kind: "prefix", value: "/v1" } },
        { ...change, kind: "requestHeaders", set: [["x-set", "yes"]], remove: ["x-secret"] },
        { ...change, kind: "responseHeaders", add: [["x-added", "1"]], remove: ["x-from"] },
      ],
      backends: backendsTo("v1"),
    }),
  ]);
  const reply = await call().get("/api/carts?id=1", { headers: { "x-secret": "s" } });
  const { url, headers } = saw(reply);
  expect(url).toBe("/v1/carts?id=1");
  expect(headers).toMatchObject({ "x-set": "yes", host: "api.shop" });
  expect(headers).not.toHaveProperty("x-secret");
  expect(reply.headers).toMatchObject({ "x-added": "1" });
  expect(reply.headers).not.toHaveProperty("x-from");
  // The log has what the caller asked.
  const [line] = await requests(1);
  expect(line?.facts.request?.path).toBe("/api/carts");
});

test("redirects and preflights are answered, refusals say why, and the connection lives on", async () => {
  const redirect = { kind: "redirect", hostname: "example.org", port: 0, path: undefined } as const;
  const origins = { origins: ["https://shop.example"], methods: ["PUT"], requestHeaders: [] };
  function at(path: string, part: Partial<RouteRule>): RouteRule {
    return routeRule({ match: { ...ANY, path: { kind: "exact", value: path } }, ...part });
  }
  route([
    at("/old", { filters: [{ ...redirect, scheme: "https", status: 301 }] }),
    at("/cors", {
      filters: [
        { ...origins, kind: "cors", credentials: false, exposeHeaders: [], maxAgeSeconds: 5 },
      ],
      backends: backendsTo("v1"),
    }),
    at("/none", { backends: backendsTo("gone") }),
    at("/empty", { backends: backendsTo("empty") }),
    at("/modern", { backends: backendsTo("modern") }),
  ]);
  const caller = call();
  const moved = await caller.send("/old?a=b", "a body that nobody reads", {
    host: "api.shop",
  });
  expect(moved).toMatchObject({ status: 301, body: "" });
  expect(moved.headers).toMatchObject({ location: "https://example.org/old?a=b" });
  expect(moved.headers).not.toHaveProperty("x-weft-reason");
  const preflight = await caller.get("/cors", {
    method: "OPTIONS",
    headers: { origin: "https://shop.example", "access-control-request-method": "PUT" },
  });
  expect(preflight.status).toBe(204);
  expect(preflight.headers).not.toHaveProperty("content-length");
  expect(preflight.headers["access-control-allow-origin"]).toBe("https://shop.example");
  const refusals = [
    ["/nowhere", 404, "route_not_found"],
    ["/none", 500, "backend_invalid"],
    ["/empty", 503, "no_ready_endpoint"],
    ["/modern", 502, "backend_version_unlike"],
  ] as const;
  for (const [path, status, reason] of refusals) {
    const { headers, ...reply } = await caller.get(path);
    expect([reply.status, headers["x-weft-reason"]]).toEqual([status, reason]);
  }
  expect(seen).toEqual([]);
  expect(caller.opened).toHaveLength(1);
  const lines = await requests(6);
  expect(lines.map(({ facts, outcome }) => [facts.request?.status, outcome.code])).toEqual([
    [301, ""],
    [204, ""],
    ...refusals.map(([, status, reason]) => [status, reason]),
  ]);
});

test("a retry saves a request whose backend says 503 first, and none that may not be done twice", async () => {
  const retry = { codes: [503], attempts: 2, backoffMs: 1 };
  route([routeRule({ retry, backends: backendsTo("v1") })]);
  const caller = call();
  let failures = 0;
  function failFirst(request: IncomingMessage, response: ServerResponse): void {
    failures -= 1;
    if (failures < 0) answer(request, response);
    else {
      seen.push(`failed ${request.method}`);
      request.resume();
      response.writeHead(503).end("not now");
    }
  }
  application.off("request", answer).on("request", failFirst);
  try {
    failures = 2;
    expect(saw(await caller.send("/", "twice", { method: "PUT" })).body).toBe("twice");
    failures = 3;
    expect(await caller.get("/")).toMatchObject({ status: 503, body: "not now" });
    failures = 1;
    expect((await caller.send("/", "once")).status).toBe(503);
  } finally {
    application.off("request", failFirst).on("request", answer);
  }
  expect(seen).toEqual([
    "failed PUT",
    "failed PUT",
    `${V1} PUT /`,
    "failed GET",
    "failed GET",
    "failed GET",
    "failed POST",
  ]);
});

test("a request that takes longer than its route allows is answered 504, and others are not held up", async () => {
  const slow = { ...ANY, path: { kind: "exact", value: "/slow" } } as const;
  route([
    routeRule({ match: slow, requestTimeoutMs: 50, backends: backendsTo("v1") }),
    routeRule({ backends: backendsTo("v1") }),
  ]);
  const caller = call();
  const ended: string[] = [];
  function stall(request: IncomingMessage, response: ServerResponse): void {
    if (request.url !== "/slow") answer(request, response);
    else response.once("close", () => ended.push("closed"));
  }
  application.off("request", answer).on("request", stall);
  try {
    const late = await caller.get("/slow");
    expect([late.status, late.headers["x-weft-reason"]]).toEqual([504, "request_timeout"]);
    expect((await caller.get("/")).status).toBe(200);
    await until("the slow one to be given up", () => ended.length > 0 || undefined);
    expect(caller.opened).toHaveLength(1);
  } finally {
    application.off("request", stall).on("request", answer);
  }
});

/** To port 80 of these, of every request. */
function mirrorsTo(...services: readonly string[]): RouteRule["filters"] {
  return services.map((name) => ({
    kind: "mirror",
    to: { service: `shop/${name}`, port: 80 },
    numerator: 1,
    denominator: 1,
  }));
}

/** Lines of the log, of mirrors alone. */
async function mirrors(count: number): Promise<readonly LoggedConnection[]> {
  return until(`${count} mirrors in the log`, () => {
    const lines = mesh.a.ended.filter(({ facts }) => facts.request?.isMirror);
    return lines.length >= count ? lines : undefined;
  });
}

test("a mirror receives a copy with its body, and the caller hears of nothing", async () => {
  route([routeRule({ filters: mirrorsTo("v2"), backends: backendsTo("v1") })]);
  const bodies: string[] = [];
  function listen(request: IncomingMessage): void {
    const { socket, headers } = request;
    const place = `${socket.localPort} ${headers["content-length"] ?? ""}`;
    let body = "";
    request.on("data", (chunk: Buffer) => {
      body += chunk.toString();
    });
    request.once("end", () => bodies.push(`${place} ${body}`));
  }
  application.on("request", listen);
  try {
    const caller = call();
    expect(saw(await caller.send("/a?b=c", "copied"))).toMatchObject({ port: V1, body: "copied" });
    const chunked = { method: "PUT", headers: { "transfer-encoding": "chunked" } };
    expect(saw(await caller.send("/b", "in chunks", chunked)).body).toBe("in chunks");
    expect(saw(await caller.get("/c")).port).toBe(V1);
    const lines = await mirrors(3);
    expect(lines.map(({ outcome }) => outcome.code)).toEqual(["", "", ""]);
    expect(lines.map(({ facts }) => facts.request?.status)).toEqual([200, 200, 200]);
    expect(lines.reduce((sum, { outcome }) => sum + outcome.bytesSent, 0)).toBe(15);
    expect(lines[0]?.facts).toMatchObject({ service: "shop/v2", tunnelled: true });
  } finally {
    application.off("request", listen);
  }
  expect(seen.toSorted()).toEqual([
    `${V1} GET /c`,
    `${V1} POST /a?b=c`,
    `${V1} PUT /b`,
    `${V2} GET /c`,
    `${V2} POST /a?b=c`,
    `${V2} PUT /b`,
  ]);
  const copied = bodies.filter((line) => line.startsWith(`${V2} `));
  expect(copied.toSorted()).toEqual([`${V2}  `, `${V2} 6 copied`, `${V2} 9 in chunks`]);
});

test("a mirror that is not there, or cannot have a copy, takes nothing from the request", async () => {
  route([routeRule({ filters: mirrorsTo("empty"), backends: backendsTo("v1") })]);
  const caller = call();
  expect((await caller.get("/")).status).toBe(200);
  const [missed] = await mirrors(1);
  expect(missed?.outcome.code).toBe("no_ready_endpoint");
  mesh.a.ended.length = 0;
  route([routeRule({ filters: mirrorsTo("v2"), backends: backendsTo("v1") })]);
  const large = "x".repeat((64 << 10) + 1);
  expect(saw(await caller.send("/", large)).body).toBe(large);
  const [line] = await mirrors(1);
  expect(line).toMatchObject({
    facts: { service: "shop/v2", request: { status: 0 } },
    outcome: { code: "mirror_body_too_large", bytesSent: 0 },
  });
  expect(seen.filter((each) => each.startsWith(`${V2} `))).toEqual([]);
});

test("mirrors that do not answer hold up no request, and are no more than 128 at once", async () => {
  // Nothing is to be over before the test says so.
  const requestTimeoutMs = 300_000;
  route([routeRule({ filters: mirrorsTo("v2"), backends: backendsTo("v1"), requestTimeoutMs })]);
  const held: ServerResponse[] = [];
  function hold(request: IncomingMessage, response: ServerResponse): void {
    if (request.socket.localPort === V2) held.push(response);
    else answer(request, response);
  }
  application.off("request", answer).on("request", hold);
  try {
    const caller = call();
    for (let i = 0; i < 129; i += 1) expect((await caller.get("/")).status).toBe(200);
    const [line] = await mirrors(1);
    expect(line?.outcome.code).toBe("mirrors_exhausted");
    await until("all others", () => held.length === 128 || undefined);
    for (const response of held) response.end("late");
    const lines = await mirrors(129);
    expect(lines.slice(1).every(({ outcome }) => outcome.code === "")).toBe(true);
  } finally {
    application.off("request", hold).on("request", answer);
  }
});

test("a namespace's own table is for its callers, and routes that change hold for connections that are open", async () => {
  const caller = call();
  expect(saw(await caller.get("/")).port).toBe(V1);
  const all = [routeRule({ backends: backendsTo("v1") })];
  const own = [routeRule({ route: "cart/own", backends: backendsTo("v2") })];
  route(all, { port: 80, consumer: "cart", rules: own });
  expect(saw(await caller.get("/")).port).toBe(V1);
  route(all, { port: 80, consumer: "shop", rules: own });
  expect(saw(await caller.get("/")).port).toBe(V2);
  route(all, { port: 81, consumer: "shop", rules: own });
  expect(saw(await caller.get("/")).port).toBe(V1);
  mesh.remove({ kind: "routes", name: "shop/web" });
  expect(saw(await caller.get("/")).port).toBe(V1);
  expect(caller.opened).toHaveLength(1);
  const lines = await requests(5);
  const routes = lines.map(({ facts }) => facts.request?.route);
  expect(routes).toEqual([undefined, "shop/web", "cart/own", "shop/web", undefined]);
});
