/**
 * Callers and backends of either version of HTTP, in real namespaces: copies of requests of both go to mirrors of both,
 * and what is asked over HTTP/2 of a backend that speaks HTTP/1 has its answer.
 */
import { once } from "node:events";
import { createServer, type IncomingMessage, ServerResponse } from "node:http";
import {
  type ClientHttp2Session,
  connect,
  createServer as createHttp2Server,
  type Http2ServerRequest,
  type Http2ServerResponse,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
} from "node:http2";
import type { Server as NetServer, Socket } from "node:net";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "@jest/globals";
import type { RouteRule } from "../../core/model/http-route.ts";
import { backendsTo, routeRule } from "../fakes/route-rule.ts";
import { until } from "../world/until.ts";
import { ADDRESS, Caller, putService } from "./balanced-service.ts";
import { listenInPod, startFromPod } from "./pod-network.ts";
import { createTrafficMesh, type LoggedConnection, type TrafficMesh } from "./traffic-mesh.ts";

/** Where endpoints listen, each of its own version. */
const OLD = 8081;
const MODERN = 8082;
const START_MS = 60_000;
/** More than all that lies between two ends holds. */
const BIG = 32 << 20;
const bigAnswers: ServerResponse[] = [];
const slowRequests: IncomingMessage[] = [];
let mesh: TrafficMesh;
const listeners: NetServer[] = [];
const open = new Set<Socket>();
const callers: (Caller | ClientHttp2Session)[] = [];
const old = createServer(answer);
const modern = createHttp2Server(answer);
/** Each request that came whole: where, and what its body was. */
const seen: Seen[] = [];

interface Seen {
  readonly port: number;
  readonly version: string;
  readonly method: string;
  readonly headers: IncomingMessage["headers"] | IncomingHttpHeaders;
  readonly body: string;
}

beforeAll(async () => {
  mesh = await createTrafficMesh("wt-either");
  for (const port of [OLD, MODERN]) {
    listeners.push(await listenInPod(mesh.network.b, { port, family: 4 }, serve));
  }
  putService(mesh, { name: "old", ports: [OLD], address: "10.96.0.11", version: "http1" });
  putService(mesh, { name: "modern", ports: [MODERN], address: "10.96.0.12", version: "http2" });
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
  (socket.localPort === OLD ? old : modern).emit("connection", socket);
}

function answer(
  request: IncomingMessage | Http2ServerRequest,
  response: ServerResponse | Http2ServerResponse,
): void {
  const { socket, method = "", headers, httpVersion: version } = request;
  const port = socket.localPort ?? 0;
  if (response instanceof ServerResponse && answerOld(request as IncomingMessage, response)) return;
  let body = "";
  request.on("data", (chunk: Buffer) => {
    body += chunk.toString();
  });
  request.once("end", () => {
    seen.push({ port, version, method, headers, body });
    response.end(`from ${port}`);
  });
}

/** Of what is to be asked of HTTP/1 alone. */
function answerOld(request: IncomingMessage, response: ServerResponse): boolean {
  switch (request.url ?? "") {
    case "/echo":
      response.writeHead(200, { trailer: "x-end", connection: "close" });
      request.on("data", (chunk: Buffer) => response.write(chunk));
      request.once("end", () => {
        response.addTrailers({ "x-end": `${request.trailers["x-asked"]}` });
        response.end();
      });
      return true;
    case "/early":
      response.writeEarlyHints({ link: "</style.css>; rel=preload" });
      response.writeHead(204).end();
      return true;
    case "/big":
      bigAnswers.push(response);
      response.end(Buffer.alloc(BIG, "x"));
      return true;
    case "/cut":
      response.writeHead(200, { "content-length": "10" });
      response.write("half", () => response.destroy());
      return true;
    case "/slow":
      slowRequests.push(request);
      request.pause();
      return true;
    default:
      return false;
  }
}

function route(rules: readonly RouteRule[]): void {
  const tables = [{ port: 80, consumer: "", rules }];
  mesh.put({ kind: "routes", value: { service: "shop/web", tables } });
}

/** To port 80 of both. */
function mirrors(): RouteRule["filters"] {
  return ["old", "modern"].map((name) => ({
    kind: "mirror",
    to: { service: `shop/${name}`, port: 80 },
    numerator: 1,
    denominator: 1,
  }));
}

async function mirrored(count: number): Promise<readonly LoggedConnection[]> {
  return until(`${count} mirrors in the log`, () => {
    const lines = mesh.a.ended.filter(({ facts }) => facts.request?.isMirror);
    return lines.length >= count ? lines : undefined;
  });
}

/** Version, method and body of each that came, in order of these. */
function copies(): readonly string[] {
  return seen.map(({ version, method, body }) => `${version} ${method} ${body}`).toSorted();
}

function http2Caller(): ClientHttp2Session {
  const socket = startFromPod(mesh.network.a, ADDRESS, 80);
  const session = connect("http://api.shop", {
    createConnection: () => socket,
    // In MB: what it may have waiting to be sent.
    maxSessionMemory: 1_000,
  });
  session.on("error", () => undefined);
  callers.push(session);
  return session;
}

interface Reply {
  readonly status: number;
  readonly body: string;
}

async function ask(
  session: ClientHttp2Session,
  headers: OutgoingHttpHeaders,
  body = "",
): Promise<Reply> {
  const stream = session.request(headers, { endStream: body === "" });
  if (body !== "") stream.end(body);
  const [head] = (await once(stream, "response")) as [IncomingHttpHeaders];
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return { status: Number(head[":status"]), body: Buffer.concat(chunks).toString() };
}

test("a request over HTTP/1 has its copies at mirrors of both versions", async () => {
  putService(mesh, { name: "web", ports: [OLD], version: "http1" });
  route([routeRule({ filters: mirrors(), backends: backendsTo("old") })]);
  const caller = new Caller(mesh, 1);
  callers.push(caller);
  expect((await caller.send("/", "copied", { host: "api.shop" })).body).toBe(`from ${OLD}`);
  const chunked = { method: "PUT", headers: { "transfer-encoding": "chunked" } };
  expect((await caller.send("/", "in chunks", chunked)).status).toBe(200);
  expect((await caller.get("/")).status).toBe(200);
  const lines = await mirrored(6);
  expect(lines.map(({ outcome }) => outcome.code)).toEqual(Array(6).fill(""));
  expect(lines.map(({ facts }) => facts.request?.status)).toEqual(Array(6).fill(200));
  expect(lines.reduce((sum, { outcome }) => sum + outcome.bytesSent, 0)).toBe(30);
  expect(copies()).toEqual([
    "1.1 GET ",
    "1.1 GET ",
    "1.1 POST copied",
    "1.1 POST copied",
    "1.1 PUT in chunks",
    "1.1 PUT in chunks",
    "2.0 GET ",
    "2.0 POST copied",
    "2.0 PUT in chunks",
  ]);
  const over2 = seen.find(({ version, method }) => version === "2.0" && method === "POST");
  expect(over2?.headers).toMatchObject({ ":authority": "api.shop", "content-length": "6" });
});

test("a request over HTTP/2 has its copies at mirrors of both versions", async () => {
  putService(mesh, { name: "web", ports: [MODERN], version: "http2" });
  route([routeRule({ filters: mirrors(), backends: backendsTo("modern") })]);
  const session = http2Caller();
  const cookies = ["a=1", "b=2"];
  expect(await ask(session, { ":path": "/", cookie: cookies })).toEqual({
    status: 200,
    body: `from ${MODERN}`,
  });
  expect((await ask(session, { ":path": "/", ":method": "POST" }, "copied")).status).toBe(200);
  const lines = await mirrored(4);
  expect(lines.map(({ outcome }) => outcome.code)).toEqual(Array(4).fill(""));
  expect(lines.map(({ facts }) => facts.request?.status)).toEqual(Array(4).fill(200));
  expect(lines.reduce((sum, { outcome }) => sum + outcome.bytesSent, 0)).toBe(12);
  expect(copies()).toEqual([
    "1.1 GET ",
    "1.1 POST copied",
    "2.0 GET ",
    "2.0 GET ",
    "2.0 POST copied",
    "2.0 POST copied",
  ]);
  const over1 = seen.find(({ version, method }) => version === "1.1" && method === "GET");
  expect(over1?.headers).toMatchObject({ host: "api.shop:80", cookie: "a=1; b=2" });
});

test("of a body over HTTP/2 that is too large to keep there is no copy", async () => {
  putService(mesh, { name: "web", ports: [MODERN], version: "http2" });
  route([routeRule({ filters: mirrors(), backends: backendsTo("modern") })]);
  const large = "x".repeat((64 << 10) + 1);
  const reply = await ask(http2Caller(), { ":path": "/", ":method": "PUT" }, large);
  expect(reply.status).toBe(200);
  const lines = await mirrored(2);
  expect(lines.map(({ outcome }) => outcome.code)).toEqual(Array(2).fill("mirror_body_too_large"));
  expect(seen.map(({ body }) => body.length)).toEqual([large.length]);
});

/** Of a Service of HTTP/2, all of whose requests go to a backend of HTTP/1. */
function modernToOld(rule: Partial<RouteRule> = {}): ClientHttp2Session {
  putService(mesh, { name: "web", ports: [MODERN], version: "http2" });
  route([routeRule({ backends: backendsTo("old"), ...rule })]);
  return http2Caller();
}

test("HTTP/2 to a backend of HTTP/1: heads, bodies and trailers both ways, in one session", async () => {
  const session = modernToOld();
  const stream = session.request(
    { ":path": "/echo", ":method": "POST", te: "trailers" },
    { waitForTrailers: true },
  );
  stream.on("wantTrailers", () => stream.sendTrailers({ "x-asked": "all", host: "no trailer" }));
  stream.write("one ");
  const [head] = (await once(stream, "response")) as [IncomingHttpHeaders];
  expect(head).toMatchObject({ ":status": 200, trailer: "x-end" });
  expect(head).not.toHaveProperty("connection");
  expect(head).not.toHaveProperty("transfer-encoding");
  const trailers = once(stream, "trailers");
  stream.end("two");
  let echoed = "";
  for await (const chunk of stream) echoed += (chunk as Buffer).toString();
  expect(echoed).toBe("one two");
  expect((await trailers)[0]).toMatchObject({ "x-end": "all" });
  const cookie = ["a=1", "b=2"];
  expect(await ask(session, { ":path": "/x?y=z", cookie })).toMatchObject({ status: 200 });
  const length = { ":path": "/", ":method": "PUT", "content-length": 4 };
  expect((await ask(session, length, "body")).body).toBe(`from ${OLD}`);
  expect(seen.map(({ version, method, body }) => `${version} ${method} ${body}`)).toEqual([
    "1.1 GET ",
    "1.1 PUT body",
  ]);
  expect(seen[0]?.headers).toMatchObject({ host: "api.shop:80", cookie: "a=1; b=2" });
  expect(seen[1]?.headers).toMatchObject({ "content-length": "4" });
  expect(seen[1]?.headers).not.toHaveProperty("transfer-encoding");
});

test("HTTP/2 to a backend of HTTP/1: HEAD, 1xx and 204 have no content, and gRPC is refused", async () => {
  const session = modernToOld();
  const early = session.request({ ":path": "/early" });
  const hints = once(early, "headers");
  const [head] = (await once(early, "response")) as [IncomingHttpHeaders];
  expect((await hints)[0]).toMatchObject({ ":status": 103, link: "</style.css>; rel=preload" });
  expect(head[":status"]).toBe(204);
  expect(head).not.toHaveProperty("content-length");
  early.resume();
  await once(early, "close");
  expect(await ask(session, { ":path": "/", ":method": "HEAD" })).toEqual({
    status: 200,
    body: "",
  });
  const grpc = { ":path": "/a.B/C", ":method": "POST", "content-type": "application/grpc" };
  const refused = session.request(grpc);
  refused.end("x");
  const [told] = (await once(refused, "response")) as [IncomingHttpHeaders];
  expect(told).toMatchObject({ "grpc-status": "14", "x-weft-reason": "backend_version_unlike" });
});

test("HTTP/2 to a backend of HTTP/1: who does not read holds up the other, either way", async () => {
  const session = modernToOld();
  bigAnswers.length = 0;
  slowRequests.length = 0;
  const down = session.request({ ":path": "/big" }).pause();
  await once(down, "response");
  const [writing] = bigAnswers;
  expect(writing?.writableFinished).toBe(false);
  const up = session.request({ ":path": "/slow", ":method": "POST" });
  up.on("error", () => undefined);
  up.end(Buffer.alloc(BIG, "x"));
  const slow = await until("the request", () => slowRequests[0]);
  // Others are not held up by either.
  expect((await ask(session, { ":path": "/" })).body).toBe(`from ${OLD}`);
  expect(writing?.writableFinished).toBe(false);
  expect(up.writableFinished).toBe(false);
  let octets = 0;
  for await (const chunk of down) octets += (chunk as Buffer).length;
  expect(octets).toBe(BIG);
  octets = 0;
  for await (const chunk of slow) octets += (chunk as Buffer).length;
  expect(octets).toBe(BIG);
  up.close();
});

test("HTTP/2 to a backend of HTTP/1: an answer that breaks off is never taken for the whole", async () => {
  const session = modernToOld();
  const stream = session.request({ ":path": "/cut" });
  const broken = new Promise((resolve) => stream.once("close", resolve));
  const errors: unknown[] = [];
  stream.on("error", (error) => errors.push(error)).resume();
  await once(stream, "response");
  await broken;
  expect(errors).toHaveLength(1);
  expect((await ask(session, { ":path": "/" })).status).toBe(200);
  const line = await until("the request in the log", () =>
    mesh.a.ended.find(({ facts }) => facts.request?.path === "/cut"),
  );
  expect(line.outcome.code).toBe("upstream_reset");
  // And the caller's own end reaches the server.
  bigAnswers.length = 0;
  const left = session.request({ ":path": "/big" }).pause();
  left.on("error", () => undefined);
  await once(left, "response");
  const [writing] = bigAnswers;
  left.close();
  await until("the server to hear of it", () => writing?.destroyed || undefined);
});
