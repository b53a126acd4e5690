/** Kubelet's probes of a STRICT pod, from its node's address, with real rules; and whoever else comes from there. */
import { once } from "node:events";
import { createServer as createHttpServer, request as httpRequest } from "node:http";
import {
  connect as connectHttp2,
  createServer as createHttp2Server,
  type ServerHttp2Stream,
} from "node:http2";
import { createServer as createHttpsServer, request as httpsRequest } from "node:https";
import type { Server, Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import type { Probe } from "../../core/model/enrolment.ts";
import { checkRequest } from "../../nodeproxy/health/health-message.ts";
import { createThrowawayCertificate } from "../../nodeproxy/inbound/throwaway-certificate.ts";
import {
  closeNode,
  connectFromPod,
  listenInPod,
  openNode,
  startFromPod,
  type TestPod,
} from "./pod-network.ts";
import {
  createTrafficMesh,
  denyAll,
  enrolment,
  type TrafficMesh,
  workload,
} from "./traffic-mesh.ts";

const HTTP = 8080;
const HTTPS = 8443;
const GRPC = 9090;
const TCP = 9000;
const CLOSED = 9001;
const MIXED = 8090;
const IMPATIENT = 8091;
/** Of a probe that is answered: not a matter of time. */
const TIMEOUT_MS = 60_000;
/** Of those of `IMPATIENT`. */
const SHORT_MS = 300;
const NODE_ADDRESSES = ["10.77.0.1", "fd77::1"];
const SERVING = "0000000002" + "0801";
const NOT_SERVING = "0000000002" + "0802";

let mesh: TrafficMesh;
let node: TestPod;
const servers: Server[] = [];
const asked: { url: string; headers: Record<string, unknown>; from: string }[] = [];
const raw: Socket[] = [];

function http(port: number, path: string, part: object = {}): Probe {
  return { kind: "http", port, scheme: "HTTP", path, headers: [], timeoutMs: TIMEOUT_MS, ...part };
}

const PROBES: readonly Probe[] = [
  http(HTTP, "/healthz?full=1", { headers: [{ name: "X-Probe", value: "yes" }] }),
  http(HTTP, "/broken"),
  http(IMPATIENT, "/slow", { timeoutMs: SHORT_MS }),
  http(IMPATIENT, "/healthz?full=1", { timeoutMs: SHORT_MS }),
  http(HTTP, "/moved"),
  http(HTTPS, "/secure", { scheme: "HTTPS" }),
  { kind: "grpc", port: GRPC, service: "good", timeoutMs: TIMEOUT_MS },
  { kind: "grpc", port: GRPC, service: "bad", timeoutMs: TIMEOUT_MS },
  { kind: "tcp", port: TCP, timeoutMs: TIMEOUT_MS },
  { kind: "tcp", port: CLOSED, timeoutMs: TIMEOUT_MS },
  http(CLOSED + 1, "/healthz"),
  http(MIXED, "/healthz"),
  { kind: "grpc", port: MIXED, service: "", timeoutMs: TIMEOUT_MS },
  { kind: "tcp", port: MIXED, timeoutMs: TIMEOUT_MS },
];

beforeAll(async () => {
  mesh = await createTrafficMesh("wt-probes");
  node = openNode("wt-probes", NODE_ADDRESSES);
  mesh.put(enrolment(mesh.network.b, "b", { probes: [...PROBES], nodeAddresses: NODE_ADDRESSES }));
  const web = createHttpServer((request, response) => {
    const { url = "", headers, socket } = request;
    asked.push({ url, headers, from: socket.remoteAddress ?? "" });
    if (url === "/slow") return;
    if (url === "/moved") response.writeHead(302, { location: "/target" }).end();
    else
      response
        .writeHead(url === "/broken" ? 500 : 200)
        .end("fine".repeat(url === "/target" ? 9000 : 1));
  });
  const secure = createHttpsServer(createThrowawayCertificate(), (_request, response) => {
    response.end("secret health");
  });
  const health = createHttp2Server();
  health.on("stream", (stream: ServerHttp2Stream) => {
    const chunks: Buffer[] = [];
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    stream.on("end", () => {
      const isBad = Buffer.concat(chunks).equals(checkRequest("bad"));
      stream.respond({ "content-type": "application/grpc" }, { waitForTrailers: true });
      stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
      stream.end(Buffer.from(isBad ? NOT_SERVING : SERVING, "hex"));
    });
  });
  for (const family of [4, 6] as const) {
    for (const port of [HTTP, IMPATIENT]) {
      await serve(port, family, (socket) => web.emit("connection", socket));
    }
    await serve(HTTPS, family, (socket) => secure.emit("connection", socket));
    await serve(GRPC, family, (socket) => health.emit("connection", socket));
  }
  for (const family of [4, 6] as const) {
    await serve(TCP, family, (socket) => {
      socket.on("error", () => undefined);
      socket.write("banner");
      raw.push(socket);
    });
  }
  await serve(MIXED, 4, (socket) => {
    socket.once("data", (chunk) => {
      socket.pause();
      socket.unshift(chunk);
      const isHttp2 = chunk.toString("latin1").startsWith("PRI");
      (isHttp2 ? health : web).emit("connection", socket);
      process.nextTick(() => socket.resume());
    });
  });
});

afterAll(async () => {
  for (const socket of raw) socket.destroy();
  closeNode(node);
  for (const server of servers) server.close();
  await mesh[Symbol.asyncDispose]();
});

async function serve(port: number, family: 4 | 6, take: (socket: Socket) => void): Promise<void> {
  servers.push(
    await listenInPod(mesh.network.b, { port, family }, (socket) => {
      socket.on("error", () => undefined);
      take(socket);
    }),
  );
}

interface Answer {
  readonly status: number;
  readonly body: string;
}

/** What kubelet does; rejects where it would see a failure without a status. */
/** What an HTTP or TLS client says of a connection that ends without an answer. */
const REFUSED = /socket hang up|ECONNRESET|disconnected|EPIPE/;

async function probe(
  from: TestPod,
  target: { host?: string; port?: number; path: string; method?: string; tls?: boolean },
): Promise<Answer> {
  const { host = mesh.network.b.v4, port = HTTP, path, method = "GET", tls = false } = target;
  const socket = startFromPod(from, host, port);
  const begin = tls ? httpsRequest : httpRequest;
  return new Promise((resolve, reject) => {
    const request = begin({
      method,
      path,
      host,
      port,
      createConnection: () => (tls ? connectTls({ socket, rejectUnauthorized: false }) : socket),
      headers: { "x-smuggled": "1", connection: "close" },
    });
    request.on("error", reject);
    request.on("response", (response) => {
      let body = "";
      response.on("data", (chunk: Buffer) => {
        body += chunk.toString();
      });
      response.on("error", reject);
      response.on("end", () => resolve({ status: response.statusCode ?? 0, body }));
    });
    request.end();
  });
}

async function check(
  service: string,
  { port = GRPC, path = "/grpc.health.v1.Health/Check", host = mesh.network.b.v4 } = {},
): Promise<{ body: string; status: unknown }> {
  const socket = startFromPod(node, host, port);
  socket.on("error", () => undefined);
  const session = connectHttp2("http://pod", { createConnection: () => socket });
  session.on("error", () => undefined);
  const stream = session.request({ ":method": "POST", ":path": path });
  let body = "";
  let status: unknown;
  stream.on("data", (chunk: Buffer) => {
    body += chunk.toString("hex");
  });
  stream.on("trailers", (headers) => {
    status = headers["grpc-status"];
  });
  stream.end(checkRequest(service));
  await new Promise((resolve) => {
    stream.on("error", () => undefined);
    stream.on("close", resolve);
  });
  session.destroy();
  return { body, status };
}

async function bytesUntilClose(socket: Socket): Promise<string> {
  let text = "";
  socket.on("data", (chunk) => {
    text += chunk.toString("latin1");
  });
  socket.on("error", () => undefined);
  socket.on("end", () => socket.end());
  if (!socket.closed) await new Promise((resolve) => socket.once("close", resolve));
  return text;
}

for (const host of ["10.77.0.3", "fd77::3"]) {
  test(`probes: an HTTP probe of ${host} is asked exactly as declared and answered with the application's status`, async () => {
    asked.length = 0;
    expect(await probe(node, { host, path: "/healthz?full=1" })).toEqual({
      status: 200,
      body: "fine",
    });
    expect(asked).toHaveLength(1);
    expect(asked[0]?.url).toBe("/healthz?full=1");
    expect(asked[0]?.headers["x-probe"]).toBe("yes");
    expect(asked[0]?.headers["x-smuggled"]).toBeUndefined();
    expect(asked[0]?.from).toBe(host.includes(":") ? "fd77::1" : "10.77.0.1");
    expect((await probe(node, { host, path: "/broken" })).status).toBe(500);
  });
}

test("probes: a slow application fails the probe in its time", async () => {
  const started = performance.now();
  await expect(probe(node, { port: IMPATIENT, path: "/slow" })).rejects.toThrow(REFUSED);
  expect(performance.now() - started).toBeLessThan(TIMEOUT_MS);
  expect(mesh.b.ended.at(-1)?.outcome.code).toBe("probe_unanswered");
});

test("probes: a redirect to the same place is followed, and the body cut where kubelet stops reading", async () => {
  const { status, body } = await probe(node, { path: "/moved" });
  expect(status).toBe(200);
  expect(body).toHaveLength(10 * 1024);
});

for (const [what, target] of [
  ["another path", { path: "/admin" }],
  ["another query", { path: "/healthz?full=2" }],
  ["another method", { path: "/healthz?full=1", method: "POST" }],
  ["the path of another port's probe", { path: "/secure" }],
] as const) {
  test(`probes: ${what} from the node's address is refused and never reaches the pod`, async () => {
    asked.length = 0;
    await expect(probe(node, target)).rejects.toThrow(REFUSED);
    expect(asked).toHaveLength(0);
    expect(mesh.b.ended.at(-1)?.outcome.code).toBe("plaintext_refused");
  });
}

test("probes: the probe's path from a pod's address is refused", async () => {
  asked.length = 0;
  // To a workload without a tunnel a's node sends plaintext, as a caller outside the mesh does.
  mesh.put(workload(mesh.network.b, "b", { tunnel: false }));
  await expect(probe(mesh.network.a, { path: "/healthz?full=1" })).rejects.toThrow(REFUSED);
  mesh.put(workload(mesh.network.b, "b", {}));
  expect(asked).toHaveLength(0);
  expect(mesh.b.ended.at(-1)?.facts.sourceAddress).toContain(`${mesh.network.a.v4}:`);
  expect(mesh.b.ended.at(-1)?.outcome.code).toBe("plaintext_refused");
});

test("probes: a second request on the connection, pipelined or later, is not asked", async () => {
  asked.length = 0;
  const socket = await connectFromPod(node, mesh.network.b.v4, HTTP);
  const request = "GET /healthz?full=1 HTTP/1.1\r\nhost: a\r\n\r\n";
  socket.write(request + request + request);
  await bytesUntilClose(socket);
  expect(asked.length).toBeLessThanOrEqual(1);
});

for (const host of ["10.77.0.3", "fd77::3"]) {
  test(`probes: HTTPS of ${host} is answered over TLS, and plaintext HTTP on that port refused`, async () => {
    const target = { host, port: HTTPS, path: "/secure" };
    expect(await probe(node, { ...target, tls: true })).toEqual({
      status: 200,
      body: "secret health",
    });
    await expect(probe(node, target)).rejects.toThrow(REFUSED);
    await expect(probe(node, { ...target, path: "/else", tls: true })).rejects.toThrow(REFUSED);
  });
}

test("probes: gRPC health is answered for the declared services, other methods and services refused", async () => {
  expect(await check("good")).toEqual({ body: SERVING, status: "0" });
  expect(await check("bad")).toEqual({ body: NOT_SERVING, status: "0" });
  expect((await check("good", { host: mesh.network.b.v6 })).body).toBe(SERVING);
  expect((await check("other")).body).toBe("");
  expect((await check("good", { path: "/grpc.health.v1.Health/Watch" })).body).toBe("");
  expect((await check("good", { path: "/shop.Cart/Empty" })).body).toBe("");
  expect(mesh.b.ended.at(-1)?.outcome.code).toBe("plaintext_refused");
});

for (const host of ["10.77.0.3", "fd77::3"]) {
  test(`probes: tcpSocket of ${host} is taken where the application listens, without a byte either way`, async () => {
    const before = raw.length;
    const socket = startFromPod(node, host, TCP);
    const connected = once(socket, "connect");
    const text = bytesUntilClose(socket);
    await connected;
    socket.write("let me in");
    expect(await text).toBe("");
    expect(raw).toHaveLength(before + 1);
    expect(raw.at(-1)?.bytesRead).toBe(0);
  });
}

for (const family of ["v4", "v6"] as const) {
  test(`probes: tcpSocket over ${family} is refused where nothing listens, and HTTP too`, async () => {
    for (const port of [CLOSED, CLOSED + 1]) {
      const socket = startFromPod(node, mesh.network.b[family], port);
      const [error] = (await once(socket, "error")) as [NodeJS.ErrnoException];
      expect(error.code).toBe("ECONNREFUSED");
    }
  });
}

test("probes: tcpSocket succeeds once the application listens and fails when it stops", async () => {
  const port = CLOSED;
  const server = await listenInPod(mesh.network.b, { port, family: 4 }, (socket) => {
    socket.on("error", () => undefined).destroy();
  });
  const taken = startFromPod(node, mesh.network.b.v4, port);
  const connected = once(taken, "connect");
  await Promise.all([connected, bytesUntilClose(taken)]);
  await new Promise((resolve) => server.close(resolve));
  const again = startFromPod(node, mesh.network.b.v4, port);
  const [error] = (await once(again, "error")) as [NodeJS.ErrnoException];
  expect(error.code).toBe("ECONNREFUSED");
});

test("probes: no process of the pod takes what is led to the closed port", async () => {
  const server = await listenInPod(mesh.network.b, { port: 15009, family: 4 }, (socket) => {
    socket.end("past policy");
  });
  for (const port of [CLOSED, 15009]) {
    const socket = startFromPod(node, mesh.network.b.v4, port);
    expect(await bytesUntilClose(socket)).toBe("");
  }
  await once(server.close(), "close");
});

test("probes: http, grpc and tcp on one port are told apart by what the client sends", async () => {
  expect((await probe(node, { port: MIXED, path: "/healthz" })).status).toBe(200);
  expect((await check("", { port: MIXED })).body).toBe(SERVING);
  const socket = await connectFromPod(node, mesh.network.b.v4, MIXED);
  socket.end();
  expect(await bytesUntilClose(socket)).toBe("");
});

for (const [what, bytes] of [
  ["garbage", "\0\0\0garbage\r\n\r\n"],
  ["a TLS hello on a plaintext port", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"],
  ["a header that never ends", `GET /healthz?full=1 HTTP/1.1\r\nx: ${"a".repeat(100_000)}`],
] as const) {
  test(`probes: ${what} is refused without a word to the pod`, async () => {
    asked.length = 0;
    const socket = await connectFromPod(node, mesh.network.b.v4, HTTP);
    socket.on("error", () => undefined);
    socket.write(Buffer.from(bytes, "latin1"));
    const text = await bytesUntilClose(socket);
    expect(text).not.toContain("200");
    expect(asked).toHaveLength(0);
  });
}

test("probes: a client that sends a byte now and then is ended in the probe's time", async () => {
  const started = performance.now();
  const socket = await connectFromPod(node, mesh.network.b.v4, IMPATIENT);
  socket.write("GET /healthz?full=1 HTTP/1.1\r\nx: ");
  const drip = setInterval(() => socket.write("y"), 50);
  await bytesUntilClose(socket);
  clearInterval(drip);
  expect(performance.now() - started).toBeLessThan(TIMEOUT_MS);
});

test("probes: 1,000 silent connections are bounded, and kubelet is answered meanwhile", async () => {
  const silent = Array.from({ length: 1000 }, () =>
    startFromPod(node, mesh.network.b.v4, IMPATIENT),
  );
  const closed = silent.map(bytesUntilClose);
  await Promise.all(
    silent.slice(0, 500).map(async (socket) => {
      if (socket.connecting) await once(socket, "connect");
    }),
  );
  expect((await probe(node, { path: "/healthz?full=1" })).status).toBe(200);
  await Promise.all(closed);
});

test("probes: a DENY of everyone leaves probes answered, under PERMISSIVE too", async () => {
  const part = { probes: [...PROBES], nodeAddresses: NODE_ADDRESSES, policies: ["shop/deny"] };
  const modes = { default: "PERMISSIVE" as const, ports: [] };
  mesh.put(denyAll("shop/deny"), enrolment(mesh.network.b, "b", { ...part, modes }));
  expect((await probe(node, { path: "/healthz?full=1" })).status).toBe(200);
  await expect(probe(node, { path: "/admin" })).rejects.toThrow(REFUSED);
  expect(mesh.b.ended.at(-1)?.outcome).toMatchObject({
    code: "denied_by_policy",
    policy: "shop/deny",
  });
});
