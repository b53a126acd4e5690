/** Connections to a Service of several endpoints, in real namespaces: spread, failover, limits, affinity, checks. */
import { once } from "node:events";
import type { Server, Socket } from "node:net";
import { afterAll, afterEach, beforeAll, expect, test } from "@jest/globals";
import type { Endpoint, Service } from "../../core/model/service.ts";
import {
  DEFAULT_TRAFFIC_SETTINGS,
  type Traffic,
  type TrafficSettings,
} from "../../core/model/traffic-settings.ts";
import { runInNamespace } from "../../nodeproxy/capture/run-in-namespace.ts";
import { until } from "../world/until.ts";
import { connectFromPod, listenInPod, nextText, startFromPod } from "./pod-network.ts";
import { createTrafficMesh, enrolment, type TrafficMesh, workload } from "./traffic-mesh.ts";

const ADDRESS = "10.96.0.10";
const PORTS = [8081, 8082, 8083];
/** Nobody listens there. */
const DEAD = 8099;
const NOBODY = [8201, 8202, 8203];
let mesh: TrafficMesh;
const servers: Server[] = [];
const accepted: Socket[] = [];
const callers: Socket[] = [];

beforeAll(async () => {
  mesh = await createTrafficMesh("wt-balance");
  for (const port of PORTS) servers.push(await listen(port));
});

afterEach(() => {
  for (const socket of callers.splice(0)) socket.destroy();
});

afterAll(async () => {
  for (const socket of accepted) socket.destroy();
  await Promise.all(servers.map((server) => once(server.close(), "close")));
  await mesh[Symbol.asyncDispose]();
});

/** Says its port to each caller, and answers its end. */
function listen(port: number): Promise<Server> {
  return listenInPod(mesh.network.b, { port, family: 4 }, (socket) => serve(socket, port));
}

function serve(socket: Socket, port: number): void {
  accepted.push(socket);
  socket.on("error", () => undefined);
  socket.on("end", () => socket.end());
  socket.resume();
  socket.write(String(port));
}

interface Wish {
  readonly service?: Partial<Service>;
  readonly traffic?: Partial<TrafficSettings>;
  readonly algorithm?: Traffic["algorithm"];
  /** In place of PORTS. */
  readonly ports?: readonly number[];
  /** Of the endpoints of the ports, in their order. */
  readonly parts?: readonly Partial<Endpoint>[];
  /** Besides those of PORTS. */
  readonly more?: readonly { readonly address: string; readonly port: number }[];
}

let wishes = 0;

/** A Service of its own for each test: what balancers remember is not the next one's. */
function putService(wish: Wish): void {
  wishes += 1;
  changeService(wish);
}

/** The same Service from now on with these endpoints and settings. */
function changeService({
  service,
  traffic,
  algorithm,
  ports: at = PORTS,
  parts = [],
  more = [],
}: Wish) {
  const named = { namespace: "shop", name: `web-${wishes}` };
  const { v4 } = mesh.network.b;
  const places = [...at.map((port) => ({ address: v4, port })), ...more];
  const rest = { algorithm: "round_robin", localOnly: false, distribution: "anywhere" } as const;
  const ports = [{ port: 80, name: "http", appProtocol: "" }];
  mesh.put(
    {
      kind: "service",
      value: { ...named, addresses: [ADDRESS], ports, ...rest, affinitySeconds: 0, ...service },
    },
    ...places.map(({ address, port }, i) => ({
      kind: "endpointSlice" as const,
      value: {
        namespace: "shop",
        name: `${named.name}-${i}`,
        service: named.name,
        ports: [{ name: "http", port }],
        endpoints: [{ ...endpoint(address), ...parts[i] }],
      },
    })),
    {
      kind: "traffic",
      value: {
        ref: `shop/${named.name}`,
        services: [`shop/${named.name}`],
        algorithm,
        settings: { ...DEFAULT_TRAFFIC_SETTINGS, ...traffic },
      },
    },
  );
}

function endpoint(address: string): Endpoint {
  const { a, b } = mesh.network;
  const workload = address === b.v4 ? "uid-b" : address === a.v4 ? "uid-a" : "";
  const place = { node: "node-b", zone: "", forZones: [], forNodes: [] };
  return { address, workload, ready: true, draining: false, ...place };
}

/** Connects, and resolves with the port that answered. */
async function call(): Promise<string> {
  const socket = await connectFromPod(mesh.network.a, ADDRESS, 80);
  callers.push(socket);
  socket.on("error", () => undefined);
  return nextText(socket);
}

async function callOften(times: number): Promise<Readonly<Record<string, number>>> {
  const counts: Record<string, number> = {};
  for (let i = 0; i < times; i += 1) {
    const port = await call();
    counts[port] = (counts[port] ?? 0) + 1;
  }
  return counts;
}

/** Codes of connections to this test's Service that have ended at the caller's node. */
function codes(): readonly string[] {
  return mesh.a.ended
    .filter(({ facts }) => facts.service === `shop/web-${wishes}`)
    .map(({ outcome }) => outcome.code);
}

function deadAttempts(dead = [DEAD]): number {
  const ends = dead.map((port) => `:${port}`);
  return mesh.b.ended.filter(({ facts }) => {
    return ends.some((end) => facts.destinationAddress.endsWith(end));
  }).length;
}

test("balancing: round robin spreads connections evenly, through the tunnel", async () => {
  putService({});
  expect(await callOften(12)).toEqual({ 8081: 4, 8082: 4, 8083: 4 });
});

test("balancing: ring hash, Maglev and session affinity bring a caller to one endpoint", async () => {
  for (const wish of [
    { algorithm: "ring_hash" },
    { algorithm: "maglev" },
    { service: { affinitySeconds: 60 } },
  ] as const) {
    putService(wish);
    expect(Object.values(await callOften(6))).toEqual([6]);
  }
});

test("balancing: trafficDistribution keeps callers in the zone of their node while it has an endpoint", async () => {
  mesh.put(enrolment(mesh.network.a, "a", { zone: "eu-1a" }));
  const service = { distribution: "same_zone" } as const;
  putService({ service, parts: [{ zone: "eu-1b" }, { zone: "eu-1a" }, { zone: "eu-1b" }] });
  expect(await callOften(4)).toEqual({ 8082: 4 });
  putService({ service, parts: [{ zone: "eu-1b" }, { zone: "eu-1c" }, { zone: "eu-1b" }] });
  expect(await callOften(6)).toEqual({ 8081: 2, 8082: 2, 8083: 2 });
});

test("balancing: an endpoint that refuses is passed over, and after some failures left out", async () => {
  const outliers = {
    consecutiveFailures: 2,
    baseEjectionMs: 60_000,
    maxEjectionPercent: 50,
    minHealthPercent: 0,
  };
  const more = [{ address: mesh.network.b.v4, port: DEAD }];
  putService({ traffic: { outliers }, more });
  const before = deadAttempts();
  const counts = await callOften(24);
  expect(Object.keys(counts)).toEqual(["8081", "8082", "8083"]);
  expect(deadAttempts() - before).toBe(2);
});

test("balancing: without retries a refusing endpoint is the caller's failure", async () => {
  const more = [{ address: mesh.network.b.v4, port: DEAD }];
  putService({ traffic: { retries: 0 }, more });
  const refused = mesh.a.nextEnded();
  // One of four in turn.
  for (let i = 0; i < 4; i += 1) {
    const socket = startFromPod(mesh.network.a, ADDRESS, 80);
    callers.push(socket);
    await new Promise((resolve) => socket.on("error", resolve).on("data", resolve));
  }
  await refused;
  expect(codes()).toEqual(["unreachable_at_peer"]);
});

test("balancing: an endpoint that does not answer costs the connect timeout, then the next is tried", async () => {
  // Somebody is there, and says nothing.
  const neighbour = ["10.77.0.99", "lladdr", "02:00:00:00:00:99", "dev", "eth0"];
  await runInNamespace(mesh.network.a.namespace, ["ip", "neigh", "replace", ...neighbour]);
  const more = [{ address: "10.77.0.99", port: 80 }];
  putService({ traffic: { connectTimeoutMs: 200 }, more });
  const started = performance.now();
  const counts = await callOften(4);
  expect(Object.values(counts).reduce((sum, count) => sum + count)).toBe(4);
  const spent = performance.now() - started;
  expect(spent).toBeGreaterThan(195);
  // The kernel itself would go on asking for two minutes.
  expect(spent).toBeLessThan(100_000);
});

test("balancing: beyond maxConnections callers wait while there is room, and go on when one ends", async () => {
  const limits = {
    maxConnections: 2,
    maxConnectionsPerEndpoint: 0,
    maxPending: 1,
    pendingTimeoutMs: 60_000,
  };
  putService({ traffic: { limits } });
  await callOften(2);
  const waiting = call();
  const refused = startFromPod(mesh.network.a, ADDRESS, 80);
  const [error] = (await once(refused, "error")) as [NodeJS.ErrnoException];
  expect(error.code).toBe("ECONNRESET");
  expect(codes()).toEqual(["service_connections_exhausted"]);
  callers[0]?.end();
  expect(PORTS.map(String)).toContain(await waiting);
});

test("balancing: a caller that waited in vain is told apart", async () => {
  const limits = {
    maxConnections: 1,
    maxConnectionsPerEndpoint: 0,
    maxPending: 5,
    pendingTimeoutMs: 100,
  };
  putService({ traffic: { limits } });
  await call();
  const ended = mesh.a.nextEnded();
  const late = startFromPod(mesh.network.a, ADDRESS, 80);
  late.on("error", () => undefined);
  expect((await ended).outcome.code).toBe("service_pending_timeout");
});

test("balancing: no endpoint gets more than maxConnectionsPerEndpoint, and a place is free again at once", async () => {
  const limits = { ...DEFAULT_TRAFFIC_SETTINGS.limits, maxConnectionsPerEndpoint: 2 };
  putService({ traffic: { limits }, algorithm: "random" });
  expect(await callOften(6)).toEqual({ 8081: 2, 8082: 2, 8083: 2 });
  const refused = mesh.a.nextEnded();
  startFromPod(mesh.network.a, ADDRESS, 80).on("error", () => undefined);
  expect((await refused).outcome.code).toBe("endpoint_connections_exhausted");
  const ended = mesh.a.nextEnded();
  callers[0]?.end();
  await ended;
  await call();
});

test("balancing: a connection without a byte for the idle timeout is ended, one that speaks is not", async () => {
  putService({ traffic: { idleTimeoutMs: 3_000 } });
  await callOften(2);
  const [idle, busy] = callers;
  const speaking = setInterval(() => busy?.write("."), 50);
  await new Promise((resolve) => idle?.on("close", resolve));
  clearInterval(speaking);
  await until("the connection's line", () => (codes().length > 0 ? true : undefined));
  expect(codes()).toEqual(["idle_timeout"]);
  expect(busy?.destroyed).toBe(false);
});

test("balancing: an endpoint that fails its checks is left out before anyone is sent there, and comes back", async () => {
  const tcpCheck = {
    intervalMs: 50,
    timeoutMs: 30_000,
    healthyThreshold: 1,
    unhealthyThreshold: 2,
  };
  const more = [{ address: mesh.network.b.v4, port: DEAD }];
  putService({ traffic: { tcpCheck, retries: 0 }, more, algorithm: "least_recently_used" });
  const before = deadAttempts();
  await call();
  await until("two checks to fail", () => (deadAttempts() >= before + 2 ? true : undefined));
  const counts = await callOften(9);
  expect(Object.keys(counts)).toEqual(["8081", "8082", "8083"]);
  const risen = await listen(DEAD);
  servers.push(risen);
  await until("the endpoint to come back", async () =>
    (await call()) === String(DEAD) ? true : undefined,
  );
});

test("balancing: weighted round robin sends each pod its part, and heeds a weight that changes", async () => {
  const { a, b } = mesh.network;
  servers.push(await listenInPod(a, { port: 8080, family: 4 }, (socket) => serve(socket, 8080)));
  const wish = { ports: [8081], more: [{ address: a.v4, port: 8080 }] };
  mesh.put(workload(a, "a", { weight: 1 }), workload(b, "b", { weight: 3 }));
  putService({ ...wish, algorithm: "weighted_round_robin" });
  expect(await callOften(12)).toEqual({ 8080: 3, 8081: 9 });
  mesh.put(workload(a, "a", { weight: 2 }), workload(b, "b", { weight: 1 }));
  const changed = await callOften(12);
  expect(changed[8080]).toBeGreaterThanOrEqual(7);
  expect(changed[8080]).toBeLessThanOrEqual(9);
  mesh.put(workload(b, "b", {}), workload(a, "a", {}));
});

test("balancing: least connections goes to the emptier of two endpoints, and follows what ends", async () => {
  putService({ ports: [8081, 8082], algorithm: "least_connections" });
  const ports: string[] = [];
  for (let i = 0; i < 8; i += 1) ports.push(await call());
  expect(ports.filter((port) => port === "8081")).toHaveLength(4);
  for (const [i, port] of ports.entries()) if (port === "8081") callers[i]?.end();
  await until("four ends in the log", () => codes().length === 4 || undefined);
  expect(await callOften(4)).toEqual({ 8081: 4 });
});

test("balancing: internalTrafficPolicy Local never leaves the node of the caller", async () => {
  const service = { localOnly: true } as const;
  putService({ service, parts: [{}, { node: "node-a" }, {}] });
  expect(await callOften(4)).toEqual({ 8082: 4 });
  putService({ service });
  const refused = mesh.a.nextEnded();
  startFromPod(mesh.network.a, ADDRESS, 80).on("error", () => undefined);
  expect((await refused).outcome.code).toBe("no_ready_endpoint");
});

test("balancing: PreferSameNode stays on the node while it has an endpoint, then in the zone", async () => {
  mesh.put(enrolment(mesh.network.a, "a", { zone: "eu-1a" }));
  const service = { distribution: "same_node" } as const;
  putService({ service, parts: [{}, { zone: "eu-1a" }, { node: "node-a" }] });
  expect(await callOften(4)).toEqual({ 8083: 4 });
  changeService({ service, parts: [{}, { zone: "eu-1a" }, {}] });
  expect(await callOften(4)).toEqual({ 8082: 4 });
});

test("balancing: topology hints are followed where every endpoint has one", async () => {
  mesh.put(enrolment(mesh.network.a, "a", { zone: "eu-1a" }));
  const elsewhere = { forZones: ["eu-1b"] };
  putService({ parts: [elsewhere, elsewhere, { forZones: ["eu-1a", "eu-1c"] }] });
  expect(await callOften(4)).toEqual({ 8083: 4 });
  changeService({ parts: [elsewhere, {}, { forZones: ["eu-1a", "eu-1c"] }] });
  expect(await callOften(6)).toEqual({ 8081: 2, 8082: 2, 8083: 2 });
});

test("balancing: callers leave a zone for a failover zone as its endpoints fail", async () => {
  mesh.put(enrolment(mesh.network.a, "a", { zone: "eu-1a" }));
  const outliers = {
    consecutiveFailures: 1,
    baseEjectionMs: 600_000,
    maxEjectionPercent: 100,
    minHealthPercent: 0,
  };
  const failover = [{ from: "eu-1a", to: ["eu-1b"] }];
  const http = { ...DEFAULT_TRAFFIC_SETTINGS.http, failover };
  const parts = [{ zone: "eu-1c" }, { zone: "eu-1b" }, { zone: "eu-1a" }];
  putService({ traffic: { outliers, http }, parts });
  expect(await callOften(4)).toEqual({ 8083: 4 });
  // Nobody listens at the zone's own any more.
  const dead = { ports: [8081, 8082, ...NOBODY.slice(0, 1)], parts, traffic: { outliers, http } };
  mesh.remove({ kind: "endpointSlice", name: `shop/web-${wishes}-2` });
  changeService(dead);
  expect(await callOften(6)).toEqual({ 8082: 6 });
});

test("balancing: session affinity ends with its timeout, and a caller that comes back in time keeps it", async () => {
  putService({ service: { affinitySeconds: 60 } });
  const home = await call();
  expect(await callOften(3)).toEqual({ [home]: 3 });
  putService({ service: { affinitySeconds: 1 } });
  const before = await call();
  // Its time is the matter of this test: nothing else tells that it is over.
  await new Promise((resolve) => setTimeout(resolve, 1_200));
  // In turn: it is another's.
  expect(await call()).not.toBe(before);
});

test("balancing: a new endpoint gets few connections while it warms up, and its part once it is warm", async () => {
  const warm = { warmupMs: 3_600_000, warmupMinimumPercent: 1 };
  putService({ traffic: warm, ports: [8081, 8082] });
  expect(await callOften(4)).toEqual({ 8081: 2, 8082: 2 });
  changeService({ traffic: warm });
  // Of 40 it would have 13 in turn; with a hundredth of its turns more than six are not to be seen in 10^9 runs.
  expect((await callOften(40))[8083] ?? 0).toBeLessThanOrEqual(6);
  changeService({ traffic: { warmupMs: 0 } });
  expect((await callOften(12))[8083]).toBe(4);
});

test("balancing: below minHealthPercent endpoints that were left out are tried again", async () => {
  const more = NOBODY.map((port) => ({ address: mesh.network.b.v4, port }));
  const outliers = {
    consecutiveFailures: 1,
    baseEjectionMs: 600_000,
    maxEjectionPercent: 100,
    minHealthPercent: 0,
  };
  putService({ traffic: { outliers, retries: 5 }, more, ports: [8081] });
  await callOften(4);
  const calm = deadAttempts(NOBODY);
  expect(await callOften(8)).toEqual({ 8081: 8 });
  expect(deadAttempts(NOBODY)).toBe(calm);
  // One of four is healthy.
  putService({
    traffic: { outliers: { ...outliers, minHealthPercent: 50 }, retries: 5 },
    more,
    ports: [8081],
  });
  await callOften(4);
  const before = deadAttempts(NOBODY);
  expect(await callOften(8)).toEqual({ 8081: 8 });
  expect(deadAttempts(NOBODY) - before).toBeGreaterThanOrEqual(8);
});
