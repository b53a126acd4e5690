/** Requests of a captured pod that belong together, and endpoints that answer badly, in real namespaces: over HTTP/1. */
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { Server as NetServer, Socket } from "node:net";
import { afterAll, afterEach, beforeAll, expect, test } from "@jest/globals";
import type { RouteSession } from "../../core/model/http-route.ts";
import { backendsTo, routeRule } from "../fakes/route-rule.ts";
import { until } from "../world/until.ts";
import { Caller, putService, type Reply } from "./balanced-service.ts";
import { listenInPod } from "./pod-network.ts";
import { createTrafficMesh, type TrafficMesh } from "./traffic-mesh.ts";

const PORTS = [8081, 8082, 8083, 8084];
const SESSION: RouteSession = {
  kind: "cookie",
  name: "stick",
  absoluteTimeoutMs: 0,
  idleTimeoutMs: 0,
  isPermanent: false,
};
const START_MS = 60_000;
let mesh: TrafficMesh;
const listeners: NetServer[] = [];
const callers: Caller[] = [];
/** They answer 503. */
const failing = new Set<number>();
/** They say that they are ill where they are asked. */
const ill = new Set<number>();
/** How many requests came to each. */
const asked = new Map<number, number>();
const application = createServer(answer);

beforeAll(async () => {
  mesh = await createTrafficMesh("wt-bound");
  for (const port of PORTS) {
    const pod = mesh.network.b;
    listeners.push(
      await listenInPod(pod, { port, family: 4 }, (socket: Socket) => {
        socket.on("error", () => undefined);
        application.emit("connection", socket);
      }),
    );
  }
}, START_MS);

afterEach(() => {
  for (const caller of callers.splice(0)) caller.close();
  failing.clear();
  ill.clear();
  asked.clear();
  mesh.remove({ kind: "routes", name: "shop/web" });
  for (const name of ["web", "v1", "v2"]) {
    mesh.remove(
      { kind: "service", name: `shop/${name}` },
      { kind: "traffic", name: `shop/${name}` },
    );
    for (const port of PORTS) mesh.remove({ kind: "endpointSlice", name: `shop/${name}-${port}` });
  }
});

afterAll(async () => {
  for (const caller of callers) caller.close();
  application.closeAllConnections();
  await Promise.all(listeners.map((server) => once(server.close(), "close")));
  await mesh[Symbol.asyncDispose]();
});

function answer(request: IncomingMessage, response: ServerResponse): void {
  const port = request.socket.localPort ?? 0;
  const isCheck = request.url === "/healthz";
  if (!isCheck) asked.set(port, (asked.get(port) ?? 0) + 1);
  response.statusCode = (isCheck ? ill : failing).has(port) ? 503 : 200;
  request.resume().once("end", () => response.end(String(port)));
}

function call(): Caller {
  const caller = new Caller(mesh, 1);
  callers.push(caller);
  return caller;
}

function cookieOf({ headers }: Reply): string {
  return headers["set-cookie"]?.[0]?.split(";", 1)[0] ?? "";
}

async function bodies(
  caller: Caller,
  count: number,
  headers: Readonly<Record<string, string>>,
): Promise<readonly string[]> {
  const found: string[] = [];
  for (let i = 0; i < count; i += 1) found.push((await caller.get("/", { headers })).body);
  return found;
}

test("ring hash and Maglev bring the requests of one user to one endpoint, whichever connection they come by", async () => {
  const hashOn = { kind: "header", name: "x-user" } as const;
  for (const algorithm of ["ring_hash", "maglev"] as const) {
    putService(mesh, { name: "web", ports: PORTS, algorithm, http: { hashOn } });
    const [caller, other] = [call(), call()];
    const homes = new Set<string>();
    for (let user = 0; user < 40; user += 1) {
      const headers = { "x-user": `user-${user}` };
      const seen = [...(await bodies(caller, 2, headers)), ...(await bodies(other, 1, headers))];
      expect(new Set(seen).size).toBe(1);
      homes.add(seen[0] ?? "");
    }
    expect(homes.size).toBe(PORTS.length);
  }
});

test("a cookie to hash is given to a client that has none, and hashed from then on", async () => {
  const hashOn = { kind: "cookie", name: "u", path: "/", ttlMs: 60_000 } as const;
  putService(mesh, { name: "web", ports: PORTS, algorithm: "maglev", http: { hashOn } });
  const caller = call();
  const first = await caller.get("/");
  expect(first.headers["set-cookie"]).toEqual([
    expect.stringMatching(/^u=[0-9a-f]{32}; Path=\/; Max-Age=60; HttpOnly$/),
  ]);
  const cookie = cookieOf(first);
  expect(new Set(await bodies(caller, 8, { cookie }))).toEqual(new Set([first.body]));
});

test("a session of the Service's policy brings a client back to its endpoint, and elsewhere once that is gone", async () => {
  putService(mesh, { name: "web", ports: PORTS, http: { session: SESSION } });
  const caller = call();
  const first = await caller.get("/");
  const cookie = cookieOf(first);
  expect(cookie).toMatch(/^stick=[\w.-]{50,}$/);
  const next = await caller.get("/", { headers: { cookie: `a=b; ${cookie}` } });
  expect([next.body, next.headers["set-cookie"]]).toEqual([first.body, undefined]);
  expect(new Set(await bodies(caller, 8, { cookie }))).toEqual(new Set([first.body]));
  // Others take turns meanwhile.
  expect(new Set(await bodies(call(), 8, {})).size).toBe(PORTS.length);
  mesh.remove({ kind: "endpointSlice", name: `shop/web-${first.body}` });
  const moved = await caller.get("/", { headers: { cookie } });
  expect(moved.body).not.toBe(first.body);
  expect(cookieOf(moved)).not.toBe(cookie);
  const settled = await bodies(caller, 6, { cookie: cookieOf(moved) });
  expect(new Set(settled)).toEqual(new Set([moved.body]));
});

test("a session keeps to the backend that it began with, whatever the weights of its route", async () => {
  const [one = 0, two = 0, three = 0, four = 0] = PORTS;
  putService(mesh, { name: "web", ports: [] });
  putService(mesh, { name: "v1", ports: [one, two], address: "10.96.0.11" });
  putService(mesh, { name: "v2", ports: [three, four], address: "10.96.0.12" });
  function route(weights: readonly [number, number]): void {
    const backends = backendsTo("v1", "v2").map((backend, i) => ({
      ...backend,
      weight: weights[i] ?? 0,
    }));
    const rules = [
      routeRule({ backends, session: { ...SESSION, kind: "header", name: "X-Stick" } }),
    ];
    const tables = [{ port: 80, consumer: "", rules }];
    mesh.put({ kind: "routes", value: { service: "shop/web", tables } });
  }
  route([1, 0]);
  const caller = call();
  const first = await caller.get("/");
  const token = String(first.headers["x-stick"]);
  expect([String(one), String(two)]).toContain(first.body);
  route([1, 99]);
  const headers = { "x-stick": token };
  expect(new Set(await bodies(caller, 12, headers))).toEqual(new Set([first.body]));
  // A backend without weight gets nothing, not even what it began.
  route([0, 1]);
  expect([String(three), String(four)]).toContain((await caller.get("/", { headers })).body);
  // Nobody's, and another's: as if there were none.
  const forged = `${token.slice(0, -1)}${token.endsWith("A") ? "B" : "A"}`;
  const reply = await caller.get("/", { headers: { "x-stick": forged } });
  expect(reply.headers["x-stick"]).toMatch(/^[\w.-]{50,}$/);
});

test("an endpoint that answers with errors in a row is left out, and what others answer stays", async () => {
  const outliers = {
    consecutiveFailures: 5,
    baseEjectionMs: 600_000,
    maxEjectionPercent: 50,
    minHealthPercent: 0,
  };
  const answers = {
    consecutive5xx: 3,
    consecutiveGatewayErrors: 0,
    intervalMs: 600_000,
    successRate: undefined,
    failurePercentage: undefined,
  };
  const [bad = 0] = PORTS;
  failing.add(bad);
  putService(mesh, {
    name: "web",
    ports: PORTS,
    traffic: { outliers },
    http: { outliers: answers },
  });
  const caller = call();
  const statuses: number[] = [];
  for (let i = 0; i < 40; i += 1) statuses.push((await caller.get("/")).status);
  expect(statuses.filter((status) => status === 503)).toHaveLength(3);
  expect(asked.get(bad)).toBe(3);
});

test("least request leaves an endpoint alone that has not answered yet", async () => {
  putService(mesh, { name: "web", ports: PORTS.slice(0, 2), algorithm: "least_request" });
  const held: ServerResponse[] = [];
  function hang(request: IncomingMessage, response: ServerResponse): void {
    if (request.url === "/hang") held.push(response);
    else answer(request, response);
  }
  application.off("request", answer).on("request", hang);
  try {
    const waiting = call().get("/hang");
    const came = once(application, "request");
    await came;
    const busy = held[0]?.socket?.localPort;
    const seen = await bodies(call(), 12, {});
    expect(seen).not.toContain(String(busy));
    held[0]?.end("late");
    expect((await waiting).body).toBe("late");
  } finally {
    application.off("request", hang).on("request", answer);
  }
});

test("an endpoint that says it is ill gets no requests until it says that it is well again", async () => {
  const check = {
    kind: "http",
    path: "/healthz",
    host: "",
    statuses: [[200, 299]],
    intervalMs: 50,
    timeoutMs: 30_000,
    healthyThreshold: 1,
    unhealthyThreshold: 2,
  } as const;
  const [sick = 0] = PORTS;
  ill.add(sick);
  putService(mesh, { name: "web", ports: PORTS, http: { check } });
  const caller = call();
  await until("the sick one to be left out", async () => {
    return !(await bodies(caller, PORTS.length, {})).includes(String(sick)) || undefined;
  });
  expect(new Set(await bodies(caller, 9, {})).size).toBe(PORTS.length - 1);
  ill.clear();
  await until("it to come back", async () => {
    return (await bodies(caller, PORTS.length, {})).includes(String(sick)) || undefined;
  });
});
