/** HTTP/2 requests of a captured pod to a Service of several endpoints, in real namespaces: each stream goes its own way, by tunnel. */
import { once } from "node:events";
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  constants,
  createServer,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from "node:http2";
import type { Server as NetServer, Socket } from "node:net";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "@jest/globals";
import { backendsTo, routeRule } from "../fakes/route-rule.ts";
import { until } from "../world/until.ts";
import { ADDRESS, putService } from "./balanced-service.ts";
import { listenInPod, startFromPod } from "./pod-network.ts";
import { createTrafficMesh, type LoggedConnection, type TrafficMesh } from "./traffic-mesh.ts";

const PORTS = [8081, 8082, 8083];
/** It takes two requests of a session at once. */
const NARROW = 8084;
/** Nobody listens there. */
const DEAD = 8099;
const START_MS = 60_000;
const BIG = 24 << 20;
let mesh: TrafficMesh;
const listeners: NetServer[] = [];
const sockets = new Map<number, Set<Socket>>();
const sessions = new Map<number, Set<ServerHttp2Session>>();
const callers: ClientHttp2Session[] = [];
/** Streams that the server lets hang. */
const hanging: ServerHttp2Stream[] = [];
/** Of ten endpoints. */
const TEN = Array.from({ length: 10 }, (_, i) => 8301 + i);
/** Says that it does not serve where its health is asked for. */
let notServing = 0;
/** Refuses the next requests at this port. */
let refusing = 0;
// In MB: what it may have waiting to be sent before it refuses streams.
const wide = createServer({ maxSessionMemory: 1_000 });
const narrow = createServer({ settings: { maxConcurrentStreams: 2 } });

beforeAll(async () => {
  mesh = await createTrafficMesh("wt-streams");
  for (const server of [wide, narrow]) {
    server.on("stream", answer);
    server.on("session", (session) => {
      const port = session.socket.localPort ?? 0;
      sessions.get(port)?.add(session);
      session.on("error", () => undefined);
      session.once("close", () => sessions.get(port)?.delete(session));
    });
  }
  for (const port of [...PORTS, ...TEN, NARROW]) {
    sockets.set(port, new Set());
    sessions.set(port, new Set());
    listeners.push(await listenInPod(mesh.network.b, { port, family: 4 }, serve));
  }
}, START_MS);

beforeEach(() => {
  mesh.a.ended.length = 0;
  hanging.length = 0;
  refusing = 0;
  notServing = 0;
});

afterEach(async () => {
  for (const caller of callers.splice(0)) caller.destroy();
  mesh.remove(
    { kind: "service", name: "shop/web" },
    { kind: "traffic", name: "shop/web" },
    { kind: "routes", name: "shop/web" },
  );
  for (const port of [...PORTS, ...TEN, NARROW, DEAD]) {
    mesh.remove({ kind: "endpointSlice", name: `shop/web-${port}` });
  }
  await until("no endpoint to be connected", () => openSockets().length === 0 || undefined);
});

afterAll(async () => {
  await Promise.all(listeners.map((server) => once(server.close(), "close")));
  await mesh[Symbol.asyncDispose]();
});

function serve(socket: Socket): void {
  const port = socket.localPort ?? 0;
  const open = sockets.get(port);
  open?.add(socket);
  socket.on("error", () => undefined).once("close", () => open?.delete(socket));
  (port === NARROW ? narrow : wide).emit("connection", socket);
}

function openSockets(): readonly Socket[] {
  return [...sockets.values()].flatMap((open) => [...open]);
}

/** Its port as a header, the body as it comes, and trailers. */
function answer(stream: ServerHttp2Stream, head: IncomingHttpHeaders): void {
  const port = stream.session?.socket.localPort ?? 0;
  stream.on("error", () => undefined);
  if (port === refusing) {
    stream.close(constants.NGHTTP2_REFUSED_STREAM);
    return;
  }
  const path = head[":path"];
  if (path === "/hang") {
    hanging.push(stream);
    return;
  }
  if (path === "/grpc.health.v1.Health/Check") {
    stream.respond(
      { ":status": 200, "content-type": "application/grpc" },
      { waitForTrailers: true },
    );
    stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
    stream.resume().end(Buffer.from([0, 0, 0, 0, 2, 8, port === notServing ? 2 : 1]));
    return;
  }
  const type = head["content-type"] ?? "text/plain";
  stream.respond(
    { ":status": 200, "content-type": type, "x-port": `${port}` },
    { waitForTrailers: true },
  );
  stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0", "x-end": "yes" }));
  if (path === "/big") stream.end(Buffer.alloc(BIG, "x"));
  else if (path === "/down") {
    for (let i = 0; i < 3; i += 1) stream.write(`${i} `);
    stream.end();
  } else if (path === "/up") {
    let octets = 0;
    stream.on("data", (chunk: Buffer) => {
      octets += chunk.length;
    });
    stream.once("end", () => stream.end(`${octets}`));
  } else stream.pipe(stream);
}

function call(): ClientHttp2Session {
  const socket = startFromPod(mesh.network.a, ADDRESS, 80);
  const session = connect("http://api.shop", { createConnection: () => socket });
  session.on("error", () => undefined);
  callers.push(session);
  return session;
}

const GRPC: OutgoingHttpHeaders = {
  ":method": "POST",
  "content-type": "application/grpc",
  te: "trailers",
};

interface Reply {
  readonly head: IncomingHttpHeaders;
  readonly trailers: IncomingHttpHeaders;
  readonly body: string;
  readonly reset: number;
}

/** Until its end, however that comes. */
async function replyOf(stream: ClientHttp2Stream): Promise<Reply> {
  const chunks: Buffer[] = [];
  let head: IncomingHttpHeaders = {};
  let trailers: IncomingHttpHeaders = {};
  stream.on("response", (fields) => {
    head = fields;
  });
  stream.on("trailers", (fields) => {
    trailers = fields;
  });
  stream.on("data", (chunk: Buffer) => chunks.push(chunk)).on("error", () => undefined);
  if (!stream.closed) await new Promise((resolve) => stream.once("close", resolve));
  return { head, trailers, body: Buffer.concat(chunks).toString(), reset: stream.rstCode };
}

interface Wish {
  readonly body: string;
  readonly fields: OutgoingHttpHeaders;
}

/** A call of gRPC, where it does not say otherwise. */
function ask(session: ClientHttp2Session, path: string, wish: string | Wish): Promise<Reply> {
  const { body, fields } = typeof wish === "string" ? { body: wish, fields: GRPC } : wish;
  const stream = session.request({ ...fields, ":path": path });
  stream.end(body);
  return replyOf(stream);
}

function countsOf(replies: readonly Reply[]): readonly number[] {
  return PORTS.map((port) => replies.filter(({ head }) => head["x-port"] === String(port)).length);
}

/** Of a's log, once there are so many. */
async function requests(count: number): Promise<readonly LoggedConnection[]> {
  return until(`${count} requests in the log`, () => {
    const lines = mesh.a.ended.filter(({ facts }) => facts.request);
    return lines.length >= count ? lines : undefined;
  });
}

test("a thousand streams of one session take turns at the endpoints, each with its trailers and a line of its own", async () => {
  putService(mesh, { name: "web", ports: PORTS, version: "http2" });
  const session = call();
  const replies: Reply[] = [];
  for (let i = 0; i < 1_000; i += 10) {
    const ten = Array.from({ length: 10 }, (_, at) => ask(session, `/${i + at}`, `body ${i + at}`));
    replies.push(...(await Promise.all(ten)));
  }
  expect(countsOf(replies).toSorted((a, b) => a - b)).toEqual([333, 333, 334]);
  for (const [at, { head, trailers, body }] of replies.entries()) {
    expect(head[":status"]).toBe(200);
    expect(body).toBe(`body ${at}`);
    expect(trailers).toMatchObject({ "grpc-status": "0", "x-end": "yes" });
  }
  // One session to each, all the time.
  expect(openSockets()).toHaveLength(3);
  const lines = await requests(1_000);
  for (const { facts, outcome } of lines) {
    expect(facts).toMatchObject({
      direction: "outbound",
      service: "shop/web",
      tunnelled: true,
      destination: { identity: "spiffe://cluster.local/ns/shop/sa/b" },
      destinationAddress: `${ADDRESS}:80`,
      request: { method: "POST", host: "api.shop:80", status: 200 },
    });
    expect(outcome.code).toBe("");
  }
  const metrics = await mesh.a.metrics();
  expect(metrics).toMatch(
    /^weft_http_requests_total\{direction="outbound",.*destination_workload="b".*status="200",reason=""\} 1000$/m,
  );
});

test("10,000 streams of one session are spread over ten endpoints within 3 sigma", async () => {
  putService(mesh, { name: "web", ports: TEN, version: "http2" });
  const session = call();
  const counts = new Map<string, number>();
  for (let i = 0; i < 10_000; i += 100) {
    const some = Array.from({ length: 100 }, () => ask(session, "/", "x"));
    for (const { head, trailers } of await Promise.all(some)) {
      expect(trailers["grpc-status"]).toBe("0");
      const port = String(head["x-port"]);
      counts.set(port, (counts.get(port) ?? 0) + 1);
    }
  }
  expect(counts.size).toBe(10);
  // Of 10,000 draws with a chance of one in ten.
  const threeSigma = 3 * Math.sqrt(10_000 * 0.1 * 0.9);
  for (const count of counts.values()) {
    expect(Math.abs(count - 1_000)).toBeLessThanOrEqual(threeSigma);
  }
  // One session to each, all the time.
  expect(openSockets()).toHaveLength(10);
});

test("least request spreads streams that stay open as evenly as streams can be", async () => {
  const two = TEN.slice(0, 2);
  putService(mesh, { name: "web", ports: two, version: "http2", algorithm: "least_request" });
  const session = call();
  const open: ClientHttp2Stream[] = [];
  const ports: string[] = [];
  for (let i = 0; i < 40; i += 1) {
    const stream = session.request({ ...GRPC, ":path": "/both" });
    const [head] = (await once(stream, "response")) as [IncomingHttpHeaders];
    open.push(stream);
    ports.push(String(head["x-port"]));
  }
  expect(ports.filter((port) => port === String(two[0]))).toHaveLength(20);
  const ends = open.map(replyOf);
  for (const stream of open) stream.end();
  await Promise.all(ends);
});

test("calls of one user go to one endpoint by ring hash, over sessions of several callers", async () => {
  const hashOn = { kind: "header", name: "x-user" } as const;
  const wish = { name: "web", ports: TEN, version: "http2", algorithm: "ring_hash" } as const;
  putService(mesh, { ...wish, http: { hashOn } });
  const both = [call(), call()];
  const homes = new Set<string>();
  for (let user = 0; user < 60; user += 1) {
    const fields = { ...GRPC, "x-user": `user-${user}` };
    const replies = await Promise.all(both.map((one) => ask(one, "/", { body: "x", fields })));
    const [home, other] = replies.map(({ head }) => String(head["x-port"]));
    expect(other).toBe(home);
    homes.add(String(home));
  }
  expect(homes.size).toBeGreaterThan(5);
});

test("an endpoint whose health service says that it does not serve is left out until it does", async () => {
  const times = { intervalMs: 50, timeoutMs: 30_000, healthyThreshold: 1, unhealthyThreshold: 2 };
  const check = { kind: "grpc", service: "shop.Api", ...times } as const;
  notServing = 8082;
  putService(mesh, { name: "web", ports: PORTS, version: "http2", http: { check } });
  const session = call();
  async function round(): Promise<readonly number[]> {
    return countsOf(await Promise.all(Array.from({ length: 12 }, () => ask(session, "/", "x"))));
  }
  await until("it to be left out", async () => (await round())[1] === 0 || undefined);
  expect((await round())[1]).toBe(0);
  notServing = 0;
  await until("it to come back", async () => (await round())[1] !== 0 || undefined);
  // No check begins from here on: they would be connected in the midst of what comes next.
  putService(mesh, { name: "web", ports: PORTS, version: "http2" });
  await ask(session, "/", "x");
});

test("many at once share the sessions, and more than one takes go over another beside it", async () => {
  putService(mesh, { name: "web", ports: PORTS, version: "http2" });
  const session = call();
  const all = await Promise.all(Array.from({ length: 300 }, (_, i) => ask(session, `/${i}`, "x")));
  expect(countsOf(all)).toEqual([100, 100, 100]);
  expect(openSockets()).toHaveLength(3);
  for (const port of PORTS) mesh.remove({ kind: "endpointSlice", name: `shop/web-${port}` });
  putService(mesh, { name: "web", ports: [NARROW], version: "http2" });
  const held = Array.from({ length: 5 }, () => ask(session, "/hang", "x"));
  await until("five at the server", () => hanging.length === 5 || undefined);
  expect(sockets.get(NARROW)?.size).toBe(3);
  for (const stream of hanging) stream.respond({ ":status": 200 }, { endStream: true });
  expect((await Promise.all(held)).map(({ head }) => head[":status"])).toEqual(
    Array.from({ length: 5 }, () => 200),
  );
});

test("all four kinds of streaming go through, octets as they come", async () => {
  putService(mesh, { name: "web", ports: PORTS, version: "http2" });
  const session = call();
  expect((await ask(session, "/one", "note")).body).toBe("note");
  expect((await ask(session, "/down", "")).body).toBe("0 1 2 ");
  const up = session.request({ ...GRPC, ":path": "/up" });
  const counted = replyOf(up);
  for (let i = 0; i < 10; i += 1) up.write("0123456789");
  up.end();
  expect((await counted).body).toBe("100");
  const both = session.request({ ...GRPC, ":path": "/both" });
  let heard = "";
  both.setEncoding("utf8").on("data", (text: string) => {
    heard += text;
  });
  for (let i = 0; i < 5; i += 1) {
    both.write(`${i};`);
    await until("its echo", () => heard.endsWith(`${i};`) || undefined);
  }
  both.end();
  await once(both, "close");
  expect(heard).toBe("0;1;2;3;4;");
});

test("an endpoint that dies costs its own streams that have begun; what may be sent again and what comes next is served elsewhere", async () => {
  putService(mesh, { name: "web", ports: [...PORTS, DEAD], version: "http2" });
  const session = call();
  const open = Array.from({ length: 30 }, () => session.request({ ...GRPC, ":path": "/both" }));
  const replies = open.map(replyOf);
  const ports = open.map(async (stream) => {
    const [head] = (await once(stream, "response")) as [IncomingHttpHeaders];
    return head["x-port"];
  });
  const places = await Promise.all(ports);
  const idempotent = Array.from({ length: 30 }, () => {
    return ask(session, "/hang", { body: "", fields: { ":method": "GET" } });
  });
  await until("them all at a server", () => hanging.length === 30 || undefined);
  const [first] = sessions.get(8082) ?? [];
  const lost = hanging.filter((stream) => stream.session === first).length;
  expect(lost).toBeGreaterThan(0);
  for (const socket of sockets.get(8082) ?? []) socket.resetAndDestroy();
  await until("the lost ones to come again", () => hanging.length === 30 + lost || undefined);
  for (const stream of hanging) {
    if (!stream.destroyed) stream.respond({ ":status": 204 }, { endStream: true });
  }
  const served = await Promise.all(idempotent);
  expect(new Set(served.map(({ head }) => head[":status"]))).toEqual(new Set([204]));
  for (const stream of open) if (!stream.destroyed) stream.end("last");
  const ends = await Promise.all(replies);
  expect(ends.map(({ body, reset }) => (reset === 0 ? body : reset))).toEqual(
    places.map((place) => (place === "8082" ? constants.NGHTTP2_INTERNAL_ERROR : "last")),
  );
  const next = await Promise.all(Array.from({ length: 30 }, () => ask(session, "/", "next")));
  expect(new Set(next.map(({ body }) => body))).toEqual(new Set(["next"]));
});

test("what a server refuses to begin goes to another with all of its body, and so does what a GOAWAY leaves behind", async () => {
  putService(mesh, { name: "web", ports: PORTS, version: "http2" });
  const session = call();
  refusing = 8082;
  const replies = await Promise.all(
    Array.from({ length: 60 }, (_, i) => ask(session, "/", `body ${i}`)),
  );
  expect(replies.map(({ body }) => body)).toEqual(replies.map((_, i) => `body ${i}`));
  expect(replies.some(({ head }) => head["x-port"] === "8082")).toBe(false);
  refusing = 0;
  const answers: Promise<Reply>[] = [];
  for (let i = 0; i < 300; i += 1) {
    const reply = ask(session, "/", `body ${i}`);
    answers.push(reply);
    if (i % 10 === 0) await reply;
    if (i % 30 === 0) for (const one of sessions.get(8083) ?? []) one.close();
  }
  const bodies = (await Promise.all(answers)).map(({ body }) => body);
  expect(bodies).toEqual(answers.map((_, i) => `body ${i}`));
});

test("where nobody is left gRPC hears UNAVAILABLE, others 503, and the session lives on", async () => {
  putService(mesh, { name: "web", ports: [], version: "http2" });
  const session = call();
  const none = await ask(session, "/", "x");
  expect(none.head).toMatchObject({ "grpc-status": "14", "x-weft-reason": "no_ready_endpoint" });
  putService(mesh, { name: "web", ports: [DEAD], version: "http2" });
  const dead = await ask(session, "/", { body: "x", fields: { ":method": "POST" } });
  expect(dead.head).toMatchObject({ ":status": 503, "x-weft-reason": "unreachable_at_peer" });
  mesh.remove({ kind: "endpointSlice", name: `shop/web-${DEAD}` });
  putService(mesh, { name: "web", ports: [8081], version: "http2" });
  const lost = ask(session, "/hang", "x");
  await until("it at the server", () => hanging.length === 1 || undefined);
  for (const socket of sockets.get(8081) ?? []) socket.resetAndDestroy();
  expect((await lost).head).toMatchObject({
    "grpc-status": "14",
    "x-weft-reason": "upstream_reset",
  });
  expect((await ask(session, "/", "again")).body).toBe("again");
  mesh.remove({ kind: "service", name: "shop/web" });
  expect((await ask(session, "/", "x")).head["x-weft-reason"]).toBe("service_gone");
  const lines = await requests(5);
  expect(lines.map(({ outcome }) => outcome.code)).toEqual([
    "no_ready_endpoint",
    "unreachable_at_peer",
    "upstream_reset",
    "",
    "service_gone",
  ]);
});

test("a call whose time is over hears DEADLINE_EXCEEDED, and its server that nobody waits", async () => {
  putService(mesh, { name: "web", ports: [8081], version: "http2" });
  const session = call();
  // So that nothing is to be opened within that time.
  await ask(session, "/", "x");
  const late = ask(session, "/hang", {
    body: "x",
    fields: { ...GRPC, "grpc-timeout": "5S" },
  });
  const { head } = await late;
  expect(head).toMatchObject({ "grpc-status": "4", "x-weft-reason": "request_timeout" });
  const [stream] = hanging;
  if (!stream) throw new Error("it never came to the server");
  if (!stream.closed) await once(stream, "close");
  expect(stream.rstCode).toBe(constants.NGHTTP2_CANCEL);
  const [, line] = await requests(2);
  expect(line?.outcome.code).toBe("request_timeout");
});

test("a caller that does not read one stream keeps its server from sending, and no other stream waits for it", async () => {
  putService(mesh, { name: "web", ports: [8081], version: "http2" });
  const session = call();
  const big = session.request({ ":path": "/big" });
  await once(big, "response");
  const [server] = sessions.get(8081) ?? [];
  if (!server) throw new Error("no session");
  let before = -1;
  await until("the server to be held", () => {
    const now = server.socket.bytesWritten;
    const isStill = before === now;
    before = now;
    return isStill || undefined;
  });
  expect(before).toBeLessThan(BIG / 2);
  expect(await ask(session, "/", "meanwhile")).toMatchObject({ body: "meanwhile", reset: 0 });
  let octets = 0;
  for await (const chunk of big) octets += (chunk as Buffer).length;
  expect(octets).toBe(BIG);
});

test("a session that carries nothing ends as soon as its endpoint goes, one that does with its last stream", async () => {
  putService(mesh, { name: "web", ports: PORTS, version: "http2" });
  const session = call();
  for (let i = 0; i < 3; i += 1) await ask(session, "/", "x");
  expect(openSockets()).toHaveLength(3);
  mesh.remove({ kind: "endpointSlice", name: "shop/web-8082" });
  await until("its end", () => sockets.get(8082)?.size === 0 || undefined);
  expect(openSockets()).toHaveLength(2);
  const held = [ask(session, "/hang", "x"), ask(session, "/hang", "x")];
  await until("both at a server", () => hanging.length === 2 || undefined);
  for (const port of PORTS) mesh.remove({ kind: "endpointSlice", name: `shop/web-${port}` });
  expect((await ask(session, "/", "x")).head["x-weft-reason"]).toBe("no_ready_endpoint");
  for (const stream of hanging) stream.respond({ ":status": 200 }, { endStream: true });
  expect((await Promise.all(held)).map(({ head }) => head[":status"])).toEqual([200, 200]);
  await until("their end", () => openSockets().length === 0 || undefined);
});

test("maxConnections counts sessions: where it allows one, all requests go over that", async () => {
  const limits = { maxConnections: 1, maxConnectionsPerEndpoint: 1, maxPending: 0 };
  const traffic = { limits: { ...limits, pendingTimeoutMs: 1 } };
  putService(mesh, { name: "web", ports: [NARROW], version: "http2", traffic });
  const session = call();
  const held = [ask(session, "/hang", "x")];
  await until("one at the server", () => hanging.length === 1 || undefined);
  held.push(ask(session, "/hang", "x"));
  await until("two at the server", () => hanging.length === 2 || undefined);
  expect(sockets.get(NARROW)?.size).toBe(1);
  const third = await ask(session, "/", "x");
  expect(third.head["grpc-status"]).toBe("14");
  expect(third.head["x-weft-reason"]).toMatch(/_exhausted$|^endpoint/);
  for (const stream of hanging) stream.respond({ ":status": 200 }, { endStream: true });
  await Promise.all(held);
  expect((await ask(session, "/", "after")).body).toBe("after");
});

test("routes rule each stream: backends, both heads, redirects, timeouts, and 404 as gRPC says it", async () => {
  putService(mesh, { name: "web", ports: [8081], version: "http2" });
  // Its port declares nothing.
  putService(mesh, { name: "v2", ports: [8082], address: "10.96.0.12", version: "opaque" });
  const rest = { headers: [], query: [], method: "" };
  const rules = [
    routeRule({
      kind: "GRPCRoute",
      match: { ...rest, path: { kind: "exact", value: "/v2" } },
      backends: backendsTo("v2"),
      filters: [
        { kind: "responseHeaders", set: [["x-set", "by-route"]], add: [], remove: ["x-end"] },
      ],
    }),
    routeRule({
      match: { ...rest, path: { kind: "exact", value: "/hang" } },
      backends: backendsTo("web"),
      requestTimeoutMs: 200,
    }),
    routeRule({
      match: { ...rest, path: { kind: "exact", value: "/old" } },
      filters: [
        {
          kind: "redirect",
          scheme: "",
          hostname: "new.shop",
          port: 0,
          path: undefined,
          status: 301,
        },
      ],
    }),
  ];
  mesh.put({
    kind: "routes",
    value: { service: "shop/web", tables: [{ port: 80, consumer: "", rules }] },
  });
  const session = call();
  const routed = await ask(session, "/v2", "note");
  expect(routed.head).toMatchObject({ "x-port": "8082", "x-set": "by-route" });
  expect(routed).toMatchObject({ body: "note", trailers: { "grpc-status": "0" } });
  const none = await ask(session, "/elsewhere", "note");
  expect(none.head).toMatchObject({ "grpc-status": "12", "x-weft-reason": "route_not_found" });
  const late = await ask(session, "/hang", { body: "x", fields: { ":method": "POST" } });
  expect(late.head).toMatchObject({ ":status": 504, "x-weft-reason": "request_timeout" });
  const moved = await ask(session, "/old", { body: "", fields: { ":method": "GET" } });
  expect(moved.head[":status"]).toBe(301);
  expect(moved.head.location).toMatch(/^http:\/\/new\.shop.*\/old$/);
  expect(moved.head["x-weft-reason"]).toBeUndefined();
  mesh.remove(
    { kind: "service", name: "shop/v2" },
    { kind: "endpointSlice", name: "shop/v2-8082" },
  );
});
