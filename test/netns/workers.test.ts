/** Two nodes in real namespaces, each with two worker threads: shared sockets, shared limits, and threads that die. */
import { once } from "node:events";
import { createServer } from "node:http";
import type { Server, Socket } from "node:net";
import type { Worker } from "node:worker_threads";
import { afterAll, afterEach, beforeAll, expect, test } from "@jest/globals";
import type { RateLimit } from "../../core/model/rate-limit.ts";
import { type ResourceBody, resourceName } from "../../core/model/resource.ts";
import {
  type ConnectionLimits,
  DEFAULT_TRAFFIC_SETTINGS,
} from "../../core/model/traffic-settings.ts";
import { until } from "../world/until.ts";
import { ask, requestText } from "./http-requests.ts";
import { listenInPod, nextText, startFromPod } from "./pod-network.ts";
import { denyAll, enrolment, joinTrafficMesh, type TrafficMesh, workload } from "./traffic-mesh.ts";
import { createWorkerNode, type WorkerNode } from "./worker-node.ts";

const WORKERS = 2;
const PORT = 8080;
const STRICT = { default: "STRICT", ports: [] } as const;
const PERMISSIVE = { default: "PERMISSIVE", ports: [] } as const;
const SERVICE = "10.96.0.20";
const LIMIT: Omit<RateLimit, "ports"> = {
  policy: "shop/b",
  name: "all",
  pathPrefix: "",
  methods: [],
  hosts: [],
  headers: [],
  count: {
    kind: "local",
    by: { kind: "everybody" },
    quota: { kind: "sliding_window", requests: 10, windowMs: 86_400_000 },
  },
};
let mesh: TrafficMesh<WorkerNode>;
let server: Server;
const accepted = new Set<Socket>();
const callers = new Set<Socket>();
/** Callers whose connection was ended by the other side: the kernel does it for a thread that died. */
const ended = new WeakSet<Socket>();

beforeAll(async () => {
  mesh = await joinTrafficMesh("wt-work", (name) => createWorkerNode(name, WORKERS));
  server = await listenInPod(mesh.network.b, { port: PORT, family: 4 }, (socket) => {
    accepted.add(socket);
    socket.on("error", () => undefined);
    socket.on("close", () => accepted.delete(socket));
    socket.on("end", () => socket.end());
    socket.write("hello");
    socket.on("data", (chunk) => socket.write(chunk));
  });
  await Promise.all([listening(mesh.a, "uid-a"), listening(mesh.b, "uid-b")]);
});

afterEach(async () => {
  for (const socket of callers) socket.destroy();
  callers.clear();
  await until("the callers' connections to end", () => (accepted.size === 0 ? true : undefined));
});

afterAll(async () => {
  await mesh[Symbol.asyncDispose]();
  await once(server.close(), "close");
});

async function listening(node: WorkerNode, uid: string): Promise<void> {
  await node.heard((message) => message.kind === "listening" && message.uid === uid);
}

/** Connects, and resolves once the server has spoken. What fails tells what the nodes' access logs say of it. */
async function call(): Promise<Socket> {
  const socket = startFromPod(mesh.network.a, mesh.network.b.v4, PORT);
  callers.add(socket);
  socket.on("error", () => undefined);
  for (const event of ["end", "close"]) socket.once(event, () => ended.add(socket));
  let port: number | undefined;
  try {
    await once(socket, "connect");
    port = socket.localPort;
    expect(await nextText(socket)).toBe("hello");
  } catch (cause) {
    throw new Error(`call from port ${port}: ${await saidOf(port)}`, { cause });
  }
  return socket;
}

/** What the caller's node says of the call, which its workers write a moment later, and what the other said last. */
async function saidOf(port: number | undefined): Promise<string> {
  const line = await until(
    "a line of the call",
    () => mesh.a.lines.find(({ source }) => source.endsWith(`:${port}`)),
    5_000,
  ).catch(String);
  const other = mesh.b.lines.filter(({ code }) => code !== "").slice(-4);
  return JSON.stringify({ line, other });
}

interface CallOutcome {
  /** "answered", "ended", or the kernel's name of the error. */
  readonly outcome: string;
  /** The caller's. */
  readonly port: number | undefined;
}

async function outcomeOfCall(): Promise<CallOutcome> {
  const socket = startFromPod(mesh.network.a, mesh.network.b.v4, PORT);
  callers.add(socket);
  let port: number | undefined;
  socket.once("connect", () => {
    port = socket.localPort;
  });
  return new Promise((resolve) => {
    function tell(outcome: string): void {
      resolve({ outcome, port });
    }
    socket.once("data", () => tell("answered"));
    socket.once("end", () => tell("ended"));
    socket.on("error", ({ code = "" }: NodeJS.ErrnoException) => tell(code));
  });
}

async function callOften(times: number): Promise<readonly Socket[]> {
  return Promise.all(Array.from({ length: times }, () => call()));
}

/** Whoever is awake first accepts, so it takes some until each worker of the node carries a few. */
async function callUntilSpread(node: WorkerNode): Promise<readonly Socket[]> {
  const sockets: Socket[] = [];
  for (let round = 0; round < 40; round += 1) {
    sockets.push(...(await callOften(5)));
    const workers = await untilListed(node, sockets.length);
    const first = workers.filter((worker) => worker === 0).length;
    if (first >= 3 && workers.length - first >= 3) return sockets;
  }
  throw new Error("one worker accepts all");
}

/** Each caller by a connection of its own, where else many share a tunnel. */
async function setTunnelled(isTunnelled: boolean): Promise<void> {
  const modes = isTunnelled ? STRICT : PERMISSIVE;
  await putEverywhere(
    workload(mesh.network.b, "b", { tunnel: isTunnelled, modes }),
    enrolment(mesh.network.b, "b", { modes }),
  );
}

let sequence = 100;

/** Resolves once every worker of both nodes goes by it: else the next call may be carried by what ruled before. */
async function putEverywhere(...bodies: readonly ResourceBody[]): Promise<void> {
  sequence += 1;
  const meant = sequence;
  const upserts = bodies.map((body) => ({ name: resourceName(body), version: "1", body }));
  const changes = { upserts, removals: [] };
  await Promise.all(
    [mesh.a, mesh.b].map(async (node) => {
      node.traffic.onMessage({ kind: "changes", changes, sequence: meant }, []);
      await node.heard((message) => message.kind === "applied" && message.sequence === meant);
    }),
  );
}

function closed(socket: Socket): Promise<unknown> {
  return new Promise((resolve) => socket.once("close", resolve));
}

async function echoes(socket: Socket): Promise<boolean> {
  socket.write("ping");
  return (await nextText(socket)) === "ping";
}

/** Of each open connection, as control was told last: `id` is the worker's number and a multiple of 16. */
function workersOf(node: WorkerNode): readonly number[] {
  const last = node.told.findLast((message) => message.kind === "connections");
  return last?.kind === "connections" ? last.open.map(({ id }) => id % 16) : [];
}

async function untilListed(node: WorkerNode, count: number): Promise<readonly number[]> {
  return until(`${count} connections to be listed`, () => {
    const workers = workersOf(node);
    return workers.length === count ? workers : undefined;
  });
}

test("workers: both accept on one socket, and what they carry is listed and counted together", async () => {
  const { length } = await callUntilSpread(mesh.a);
  await untilListed(mesh.b, length);
  const samples = (await mesh.a.metrics()).split("\n");
  const opened = samples.filter(
    (line) =>
      line.startsWith("weft_tcp_connections_opened_total{") &&
      line.includes('direction="outbound"') &&
      line.includes('process="traffic"'),
  );
  expect(opened.map((line) => line.split(" ").at(-1))).toEqual([String(length)]);
  const issuers = mesh.a.told.findLast(({ kind }) => kind === "tunnel_issuers");
  expect(issuers).toBeDefined();
});

test("workers: a DENY ends connections in every worker, and counts as applied only then", async () => {
  await setTunnelled(false);
  const sockets = await callUntilSpread(mesh.b);
  const gone = Promise.all(sockets.map(closed));
  const bodies = [
    denyAll("shop/deny"),
    enrolment(mesh.network.b, "b", { policies: ["shop/deny"], modes: PERMISSIVE }),
  ];
  const upserts = bodies.map((body) => ({ name: resourceName(body), version: "1", body }));
  mesh.b.traffic.onMessage(
    { kind: "changes", changes: { upserts, removals: [] }, sequence: 7 },
    [],
  );
  await mesh.b.heard((message) => message.kind === "applied" && message.sequence === 7);
  // Nothing weaker from here on, whichever worker takes the next ones.
  const refused = Array.from({ length: 20 }, async () => {
    const socket = startFromPod(mesh.network.a, mesh.network.b.v4, PORT);
    socket.on("error", () => undefined);
    await closed(socket);
  });
  await Promise.all([gone, ...refused]);
  const denied = await until("the ends to be logged", () => {
    const codes = mesh.b.lines
      .map(({ code }) => code)
      .filter((code) => code === "denied_by_policy");
    return codes.length >= sockets.length + 20 ? codes.length : undefined;
  });
  expect(denied).toBe(sockets.length + 20);
  // Each is kept by the worker that refused it; both did.
  const kept = mesh.b.lines.flatMap(({ code, denial = "" }) =>
    code === "denied_by_policy" ? [denial] : [],
  );
  const answers = await Promise.all(kept.map((denial, i) => keptDenial(denial, 100 + i)));
  expect(answers).toEqual(kept);
  expect(await keptDenial("000000-000000000000", 99)).toBeUndefined();
  await setTunnelled(true);
});

/** The id of what node b answers when it is asked for that id. */
async function keptDenial(denial: string, id: number): Promise<string | undefined> {
  mesh.b.traffic.onMessage({ kind: "denial_request", id, denial }, []);
  const answer = await mesh.b.heard((message) => message.kind === "denial" && message.id === id);
  return answer.kind === "denial" ? answer.attempt?.id : undefined;
}

function endFromOutside(thread: Worker): void {
  void thread.terminate();
}

function breakIt(thread: Worker): void {
  thread.postMessage(undefined);
}

/** A worker that lives writes a line of each connection that it ends; of those that failed nobody did. */
function expectOfTheDead(outcomes: readonly CallOutcome[]): void {
  const failed = outcomes.filter(({ outcome }) => outcome !== "answered");
  const written = failed.filter(({ port }) =>
    mesh.a.lines.some(({ source }) => source.endsWith(`:${port}`)),
  );
  expect(written).toEqual([]);
}

test.each([
  ["a", "ended from outside", endFromOutside],
  ["a", "with an error that nobody caught", breakIt],
  ["b", "ended from outside", endFromOutside],
] as const)(
  "workers: one of node %s dies, %s: its connections end, no other, no new one is refused",
  async (name, _, kill) => {
    const node = mesh[name];
    await setTunnelled(name === "a");
    const sockets = await callUntilSpread(node);
    const lost = workersOf(node).filter((worker) => worker === 0).length;
    const thread = node.threads[0];
    const died = new Promise((resolve) => thread?.once("exit", resolve));
    const meanwhile = Array.from({ length: 30 }, () => outcomeOfCall());
    if (thread) kill(thread);
    await died;
    // Taken by the one that died or by the other: no socket refuses.
    const outcomes = await Promise.all(meanwhile);
    expect(outcomes.map(({ outcome }) => outcome)).not.toContain("ECONNREFUSED");
    // The other worker serves, and the next one later.
    await callOften(20);
    await until("the dead worker's connections to end", () =>
      sockets.filter((socket) => ended.has(socket)).length === lost ? true : undefined,
    );
    const alive = await Promise.all(
      sockets.filter((socket) => !ended.has(socket)).map((socket) => echoes(socket)),
    );
    expect(alive).toEqual(Array.from({ length: sockets.length - lost }, () => true));
    await until("the next worker to serve", async () => {
      await callOften(10);
      return new Set(workersOf(node)).size === WORKERS ? true : undefined;
    });
    if (name === "a") expectOfTheDead(outcomes);
    await setTunnelled(true);
    expect(await node.metrics()).toMatch(/weft_traffic_worker_deaths_total\{[^}]*\} [1-9]/);
  },
);

test("workers: a Service's limit is one for all workers, those who wait go on, and a dead worker's places are free", async () => {
  const limits = { maxConnections: 10, maxPending: 5, pendingTimeoutMs: 20_000 };
  await putService(limits);
  const started = Array.from({ length: 40 }, () => startFromPod(mesh.network.a, SERVICE, 80));
  const [open, failed] = [new Set<Socket>(), new Set<Socket>()];
  for (const socket of started) {
    callers.add(socket);
    socket.on("error", () => failed.add(socket));
    socket.on("data", () => open.add(socket));
  }
  await until("the rest to be refused", () => (failed.size === 25 ? true : undefined));
  await until("the limit to be reached", () => (open.size === 10 ? true : undefined));
  expect(accepted.size).toBe(10);
  for (const socket of [...open].slice(0, 3)) socket.destroy();
  await until("those who wait to go on", () => (open.size === 13 ? true : undefined));
  await mesh.a.threads[0]?.terminate();
  // Two were waiting, in either worker: the other's go on, by the places of the dead one.
  await until("the limit to be full again", () => {
    const socket = startFromPod(mesh.network.a, SERVICE, 80);
    callers.add(socket);
    socket.on("error", () => undefined);
    return accepted.size === 10 ? true : undefined;
  });
});

test("workers: an endpoint's limit is one for all workers", async () => {
  await putService({ maxConnectionsPerEndpoint: 7 });
  const started = Array.from({ length: 40 }, () => startFromPod(mesh.network.a, SERVICE, 80));
  const [open, failed] = [new Set<Socket>(), new Set<Socket>()];
  for (const socket of started) {
    callers.add(socket);
    socket.on("error", () => failed.add(socket));
    socket.on("data", () => open.add(socket));
  }
  await until("all to be answered", () => (open.size + failed.size === 40 ? true : undefined));
  expect([open.size, failed.size]).toEqual([7, 33]);
});

test("workers: a rate limit is one for all workers, and what a dead one has counted stays", async () => {
  const application = createServer((_, response) => response.end("hello"));
  const port = 8090;
  const listening = await listenInPod(mesh.network.b, { port, family: 4 }, (socket) => {
    application.emit("connection", socket);
  });
  await putEverywhere(
    workload(mesh.network.b, "b", { tunnel: false, modes: PERMISSIVE }),
    enrolment(mesh.network.b, "b", {
      modes: PERMISSIVE,
      httpPorts: [{ port, version: "http1" }],
      rateLimits: [{ ...LIMIT, ports: [port] }],
    }),
  );
  async function statuses(count: number): Promise<readonly number[]> {
    const all = Array.from({ length: count }, async () => {
      const { status } = await ask(
        startFromPod(mesh.network.a, mesh.network.b.v4, port),
        requestText({}),
      );
      return status;
    });
    return (await Promise.all(all)).toSorted((a, b) => a - b);
  }
  expect(await statuses(40)).toEqual(Array.from({ length: 40 }, (_, i) => (i < 10 ? 200 : 429)));
  for (const index of [0, 1]) {
    await mesh.b.threads[index]?.terminate();
    // Taken by the other, or by the next one.
    expect(await statuses(5)).toEqual([429, 429, 429, 429, 429]);
  }
  application.closeAllConnections();
  await once(listening.close(), "close");
  await setTunnelled(true);
});

let services = 0;

/** A Service of its own for each test, at one address and of one endpoint. */
async function putService(limits: Partial<ConnectionLimits>): Promise<void> {
  services += 1;
  const named = { namespace: "shop", name: `web-${services}` };
  const ref = `${named.namespace}/${named.name}`;
  const place = { node: "node-b", zone: "", forZones: [], forNodes: [] };
  const endpoint = { address: mesh.network.b.v4, workload: "uid-b", ready: true, draining: false };
  const rest = { algorithm: "round_robin", localOnly: false, distribution: "anywhere" } as const;
  const settings = {
    ...DEFAULT_TRAFFIC_SETTINGS,
    limits: { ...DEFAULT_TRAFFIC_SETTINGS.limits, ...limits },
  };
  await putEverywhere(
    {
      kind: "service",
      value: {
        ...named,
        addresses: [SERVICE],
        ports: [{ port: 80, name: "http", appProtocol: "" }],
        ...rest,
        affinitySeconds: 0,
      },
    },
    {
      kind: "endpointSlice",
      value: {
        ...named,
        service: named.name,
        ports: [{ name: "http", port: PORT }],
        endpoints: [{ ...endpoint, ...place }],
      },
    },
    { kind: "traffic", value: { ref, services: [ref], algorithm: undefined, settings } },
  );
}
