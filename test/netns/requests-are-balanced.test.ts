/** HTTP/1 requests of a captured pod to a Service of several endpoints, in real namespaces: each goes its own way, by tunnel. */
import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Server as NetServer, Socket } from "node:net";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "@jest/globals";
import { until } from "../world/until.ts";
import { ADDRESS, Caller, putService } from "./balanced-service.ts";
import { listenInPod, startFromPod } from "./pod-network.ts";
import { createTrafficMesh, type LoggedConnection, type TrafficMesh } from "./traffic-mesh.ts";

const PORTS = [8081, 8082, 8083];
/** Nobody listens there. */
const DEAD = 8099;
const START_MS = 60_000;
const BIG = 24 << 20;
let mesh: TrafficMesh;
const listeners: NetServer[] = [];
const accepted = new Map<number, Set<Socket>>();
const callers: Caller[] = [];
const application: Server = createServer(answer);

beforeAll(async () => {
  mesh = await createTrafficMesh("wt-requests");
  for (const port of PORTS) {
    accepted.set(port, new Set());
    listeners.push(await listenInPod(mesh.network.b, { port, family: 4 }, serve));
  }
  application.on("checkContinue", (request: IncomingMessage, response: ServerResponse) => {
    response.writeContinue();
    answer(request, response);
  });
  application.on("upgrade", (_request, socket: Socket) => {
    socket.write(
      "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n",
    );
    socket.on("error", () => undefined).pipe(socket);
  });
}, START_MS);

beforeEach(() => {
  mesh.a.ended.length = 0;
});

afterEach(async () => {
  for (const caller of callers.splice(0)) caller.close();
  mesh.remove({ kind: "service", name: "shop/web" }, { kind: "traffic", name: "shop/web" });
  for (const port of [...PORTS, DEAD]) {
    mesh.remove({ kind: "endpointSlice", name: `shop/web-${port}` });
  }
  await until("no endpoint to be connected", () => openSockets().length === 0 || undefined);
});

afterAll(async () => {
  await Promise.all(listeners.map((server) => once(server.close(), "close")));
  await mesh[Symbol.asyncDispose]();
});

function serve(socket: Socket): void {
  const open = accepted.get(socket.localPort ?? 0);
  open?.add(socket);
  socket.on("error", () => undefined).once("close", () => open?.delete(socket));
  application.emit("connection", socket);
}

function openSockets(): readonly Socket[] {
  return [...accepted.values()].flatMap((sockets) => [...sockets]);
}

/** Its port, or what the path asks for. */
function answer(request: IncomingMessage, response: ServerResponse): void {
  const port = String(request.socket.localPort);
  if (request.url === "/echo") {
    response.writeHead(200, { trailer: "x-end" });
    request.pipe(response, { end: false });
    request.once("end", () => {
      response.addTrailers({ "x-end": request.trailers["x-end"] ?? "none" });
      response.end();
    });
    return;
  }
  if (request.url === "/big") {
    response.end(Buffer.alloc(BIG, port));
    return;
  }
  request.resume().once("end", () => response.end(port));
}

function call(sockets = 1): Caller {
  const caller = new Caller(mesh, sockets);
  callers.push(caller);
  return caller;
}

function countsOf(bodies: readonly string[]): readonly number[] {
  return PORTS.map((port) => bodies.filter((body) => body === String(port)).length);
}

/** Of a's log, once there are so many. */
async function requests(count: number): Promise<readonly LoggedConnection[]> {
  return until(`${count} requests in the log`, () => {
    const lines = mesh.a.ended.filter(({ facts }) => facts.request);
    return lines.length >= count ? lines : undefined;
  });
}

test("a thousand requests of one connection take turns at the endpoints, each by a tunnel and with a line of its own", async () => {
  putService(mesh, { name: "web", ports: PORTS });
  const caller = call();
  const bodies: string[] = [];
  for (let i = 0; i < 1_000; i += 1) bodies.push((await caller.get(`/${i}`)).body);
  expect(countsOf(bodies).toSorted((a, b) => a - b)).toEqual([333, 333, 334]);
  expect(caller.opened).toHaveLength(1);
  // The same connections all the time.
  expect(openSockets()).toHaveLength(3);
  const lines = await requests(1_000);
  expect(lines.map(({ facts }) => facts.request?.path)).toEqual(
    bodies.map((_, index) => `/${index}`),
  );
  for (const { facts, outcome } of lines) {
    expect(facts).toMatchObject({
      direction: "outbound",
      service: "shop/web",
      tunnelled: true,
      destination: { identity: "spiffe://cluster.local/ns/shop/sa/b" },
      destinationAddress: `${ADDRESS}:80`,
      request: { method: "GET", host: "api.shop", status: 200 },
    });
    expect(outcome.code).toBe("");
  }
  const metrics = await mesh.a.metrics();
  expect(metrics).toMatch(
    /^weft_http_requests_total\{direction="outbound",.*destination_workload="b".*status="200",reason=""\} 1000$/m,
  );
});

test("an endpoint that dies costs no request that may be sent again, and one that nobody listens at none at all", async () => {
  putService(mesh, { name: "web", ports: [...PORTS, DEAD] });
  const caller = call(4);
  const answers: Promise<number>[] = [];
  for (let i = 0; i < 400; i += 1) {
    const reply = caller.get(`/${i}`).then(({ status }) => status);
    answers.push(reply);
    if (i % 20 === 0) await reply;
    // All that it has open, over and over.
    if (i % 50 === 0) for (const socket of accepted.get(8082) ?? []) socket.resetAndDestroy();
  }
  expect(new Set(await Promise.all(answers))).toEqual(new Set([200]));
});

test("what is not idempotent is never sent twice: its caller hears that the connection was lost", async () => {
  putService(mesh, { name: "web", ports: [8081] });
  const caller = call();
  await caller.get("/");
  const seen: string[] = [];
  function lose(request: IncomingMessage): void {
    seen.push(request.method ?? "");
    request.socket.resetAndDestroy();
  }
  application.off("request", answer).on("request", lose);
  try {
    const reply = await caller.send("/", "once");
    expect(reply.status).toBe(503);
    expect(reply.headers["x-weft-reason"]).toBe("upstream_reset");
    expect(seen).toEqual(["POST"]);
    expect((await caller.send("/", "twice", { method: "PUT" })).status).toBe(503);
    expect(seen).toEqual(["POST", "PUT", "PUT"]);
  } finally {
    application.off("request", lose).on("request", answer);
  }
});

test("bodies of any size and kind go both ways, with trailers, 100-continue and HEAD", async () => {
  putService(mesh, { name: "web", ports: PORTS });
  const caller = call();
  const echoed = await caller.send("/echo", "some words", {
    headers: { "transfer-encoding": "chunked" },
  });
  expect(echoed).toMatchObject({ status: 200, body: "some words", trailers: { "x-end": "none" } });
  const expecting = await caller.send("/echo", "at last", {
    headers: { expect: "100-continue", "content-length": "7" },
  });
  expect(expecting.body).toBe("at last");
  const head = await caller.get("/", { method: "HEAD" });
  expect(head).toMatchObject({ status: 200, body: "" });
  const text = "0123456789abcdef".repeat(BIG >> 4);
  const back = await caller.send("/echo", text);
  expect(digest(back.body)).toBe(digest(text));
  const { body } = await caller.get("/big");
  expect(body).toHaveLength(BIG);
});

function digest(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

test("a caller that does not read keeps the endpoint from sending", async () => {
  putService(mesh, { name: "web", ports: [8081] });
  const socket = startFromPod(mesh.network.a, ADDRESS, 80);
  socket.on("error", () => undefined);
  socket.write("GET /big HTTP/1.1\r\nhost: a\r\n\r\n");
  await until("the response to begin", () => socket.bytesRead > 0 || undefined);
  socket.pause();
  const [server] = accepted.get(8081) ?? [];
  if (!server) throw new Error("no connection");
  let before = -1;
  await until("the endpoint to be held", () => {
    const isStill = before === server.bytesWritten - server.writableLength;
    before = server.bytesWritten - server.writableLength;
    return isStill || undefined;
  });
  let octets = socket.bytesRead;
  expect(octets).toBeLessThan(BIG);
  socket.resume();
  await until("the rest", () => {
    octets = socket.bytesRead;
    return octets > BIG || undefined;
  });
  socket.destroy();
});

test("an upgrade goes to one endpoint and carries octets both ways until either ends", async () => {
  putService(mesh, { name: "web", ports: PORTS });
  const socket = startFromPod(mesh.network.a, ADDRESS, 80);
  let text = "";
  socket.setEncoding("latin1").on("data", (chunk: string) => {
    text += chunk;
  });
  socket.write("GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n");
  await until("the upgrade", () => text.includes("\r\n\r\n") || undefined);
  expect(text).toMatch(/^HTTP\/1\.1 101 /);
  socket.write("ping over it");
  await until("the echo", () => text.endsWith("ping over it") || undefined);
  socket.end();
  if (!socket.destroyed) await once(socket, "close");
  const [line] = await requests(1);
  expect(line?.facts.request?.status).toBe(101);
  expect(line?.outcome).toMatchObject({ code: "", bytesSent: 12, bytesReceived: 12 });
});

test("a Service without endpoints is answered 503 with the code, and the connection lives on", async () => {
  putService(mesh, { name: "web", ports: [] });
  const caller = call();
  const none = await caller.get("/");
  expect(none.status).toBe(503);
  expect(none.headers["x-weft-reason"]).toBe("no_ready_endpoint");
  putService(mesh, { name: "web", ports: [DEAD] });
  const dead = await caller.get("/");
  expect(dead.headers["x-weft-reason"]).toBe("unreachable_at_peer");
  putService(mesh, { name: "web", ports: [8081] });
  mesh.remove({ kind: "endpointSlice", name: `shop/web-${DEAD}` });
  expect((await caller.get("/")).body).toBe("8081");
  mesh.remove({ kind: "service", name: "shop/web" });
  expect((await caller.get("/")).headers["x-weft-reason"]).toBe("service_gone");
  expect(caller.opened).toHaveLength(1);
  const lines = await requests(4);
  expect(lines.map(({ outcome }) => outcome.code)).toEqual([
    "no_ready_endpoint",
    "unreachable_at_peer",
    "",
    "service_gone",
  ]);
});

test("a connection that waits for requests ends as soon as its endpoint goes", async () => {
  putService(mesh, { name: "web", ports: PORTS });
  const caller = call();
  for (let i = 0; i < 3; i += 1) await caller.get("/");
  expect(openSockets()).toHaveLength(3);
  mesh.remove({ kind: "endpointSlice", name: "shop/web-8082" });
  await until("its end", () => accepted.get(8082)?.size === 0 || undefined);
  expect(openSockets()).toHaveLength(2);
});

test("maxConnections counts what carries a request: who waits goes on once another has its answer", async () => {
  const limits = { maxConnections: 1, maxConnectionsPerEndpoint: 0, maxPending: 8 };
  const traffic = { limits: { ...limits, pendingTimeoutMs: 60_000 } };
  putService(mesh, { name: "web", ports: PORTS, traffic });
  const caller = call(4);
  const replies = await Promise.all(["/a", "/b", "/c", "/d"].map((path) => caller.get(path)));
  expect(replies.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
  putService(mesh, {
    name: "web",
    ports: PORTS,
    traffic: { limits: { ...limits, maxPending: 0, pendingTimeoutMs: 1 } },
  });
  const held = startFromPod(mesh.network.a, ADDRESS, 80);
  held.on("error", () => undefined).resume();
  const arrived = once(application, "request");
  held.write("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\nhalf");
  await arrived;
  const refused = await caller.get("/");
  expect(refused.status).toBe(503);
  expect(refused.headers["x-weft-reason"]).toBe("service_connections_exhausted");
  held.destroy();
});
