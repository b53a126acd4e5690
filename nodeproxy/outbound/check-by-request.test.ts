/** Checks by request against real servers on the loopback. */
import { once } from "node:events";
import { createServer as createHttp1 } from "node:http";
import { createServer as createHttp2, type ServerHttp2Stream } from "node:http2";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { afterEach, expect, test } from "@jest/globals";
import type { GrpcCheck, HttpCheck } from "../../core/model/http-settings.ts";
import { answersWell } from "./check-by-request.ts";

const TIMES = { intervalMs: 1_000, timeoutMs: 1_000, healthyThreshold: 1, unhealthyThreshold: 1 };
const HTTP: HttpCheck = {
  ...TIMES,
  kind: "http",
  path: "/healthz?full=1",
  host: "",
  statuses: [
    [200, 299],
    [404, 404],
  ],
};
const GRPC: GrpcCheck = { ...TIMES, kind: "grpc", service: "shop.Api" };
const SERVING = Buffer.from([0, 0, 0, 0, 2, 8, 1]);
const LONG_MS = 60_000;
const servers: Server[] = [];
const sockets = new Set<Socket>();

afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  await Promise.all(servers.splice(0).map((server) => once(server.close(), "close")));
});

interface Wish {
  readonly check: HttpCheck | GrpcCheck;
  readonly version?: "http1" | "http2";
  readonly timeoutMs?: number;
}

/** Of one connection to whatever takes it. */
async function check(serve: (socket: Socket) => void, wish: Wish): Promise<boolean> {
  const server = createServer((socket) => {
    sockets.add(socket.on("error", () => undefined).once("close", () => sockets.delete(socket)));
    serve(socket);
  });
  servers.push(server);
  await once(server.listen(0, "127.0.0.1"), "listening");
  const side = connect((server.address() as AddressInfo).port, "127.0.0.1");
  await once(side, "connect");
  const { version = "http1", timeoutMs = LONG_MS } = wish;
  const isGood = await answersWell(
    side,
    { check: wish.check, authority: "web.shop", version },
    timeoutMs,
  );
  expect(side.destroyed).toBe(true);
  return isGood;
}

function http1(
  status: number,
  fields: Readonly<Record<string, string>> = {},
  asked: unknown[] = [],
) {
  const server = createHttp1((request, response) => {
    asked.push([request.method, request.url, request.headers.host, request.headers["user-agent"]]);
    response.writeHead(status, fields).end("whatever");
  });
  return (socket: Socket): void => void server.emit("connection", socket);
}

test.each([
  [200, true],
  [204, true],
  [404, true],
  [300, false],
  [503, false],
])("answersWell(): HTTP/1, status %d among those that are good: %s", async (status, isGood) => {
  const asked: unknown[] = [];
  expect(await check(http1(status, {}, asked), { check: HTTP })).toBe(isGood);
  expect(asked).toEqual([["GET", "/healthz?full=1", "web.shop", "weft-health-check"]]);
});

test("answersWell(): a refusal by policy on the way says nothing about the endpoint, the application's own does", async () => {
  const refused = { "x-weft-reason": "denied_by_policy" };
  expect(await check(http1(403, refused), { check: HTTP })).toBe(true);
  expect(await check(http1(403), { check: HTTP })).toBe(false);
  expect(await check(http1(503, { "x-weft-reason": "app_unreachable" }), { check: HTTP })).toBe(
    false,
  );
});

test("answersWell(): who closes, speaks nonsense or says nothing fails, in time", async () => {
  for (const version of ["http1", "http2"] as const) {
    const wish = { check: HTTP, version };
    expect(await check((socket) => socket.destroy(), wish)).toBe(false);
    expect(await check((socket) => socket.resume().end(), wish)).toBe(false);
    expect(await check((socket) => socket.end("SSH-2.0-OpenSSH\r\n"), wish)).toBe(false);
    expect(await check((socket) => socket.resume(), { ...wish, timeoutMs: 50 })).toBe(false);
  }
});

interface GrpcAnswer {
  readonly body?: Buffer;
  readonly status?: string;
  readonly reason?: string;
}

function grpc({ body, status = "0", reason }: GrpcAnswer, asked: unknown[] = []) {
  const server = createHttp2();
  server.on("stream", (stream: ServerHttp2Stream, head) => {
    const chunks: Buffer[] = [];
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    stream.on("end", () => {
      asked.push([head[":method"], head[":path"], Buffer.concat(chunks).toString("latin1")]);
      const fields = { ":status": 200, "content-type": "application/grpc" };
      const ours = reason === undefined ? {} : { "x-weft-reason": reason };
      if (!body) {
        stream.respond({ ...fields, ...ours, "grpc-status": status }, { endStream: true });
        return;
      }
      stream.respond(fields, { waitForTrailers: true });
      stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": status }));
      stream.end(body);
    });
  });
  return (socket: Socket): void => void server.emit("connection", socket);
}

test("answersWell(): gRPC asks for the health of its service, and only SERVING is good", async () => {
  const asked: unknown[] = [];
  expect(await check(grpc({ body: SERVING }, asked), { check: GRPC })).toBe(true);
  expect(asked).toEqual([["POST", "/grpc.health.v1.Health/Check", "\0\0\0\0\n\n\bshop.Api"]]);
  const bad: readonly GrpcAnswer[] = [
    { body: Buffer.from([0, 0, 0, 0, 2, 8, 2]) },
    { body: Buffer.from([0, 0, 0, 0, 0]) },
    { body: Buffer.from([1, 0, 0, 0, 2, 8, 1]) },
    { body: SERVING.subarray(0, 6) },
    { body: Buffer.alloc(4_096) },
    { body: SERVING, status: "14" },
    { status: "12" },
    { status: "7" },
  ];
  for (const answer of bad) expect(await check(grpc(answer), { check: GRPC })).toBe(false);
  expect(await check(grpc({ status: "7", reason: "denied_by_policy" }), { check: GRPC })).toBe(
    true,
  );
});

test("answersWell(): an HTTP check of a port of HTTP/2 asks by HTTP/2", async () => {
  const asked: unknown[] = [];
  expect(await check(grpc({}, asked), { check: HTTP, version: "http2" })).toBe(true);
  expect(asked).toEqual([["GET", "/healthz?full=1", ""]]);
});
