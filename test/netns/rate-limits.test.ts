/**
 * Rate limits as users write them, through the operator's index and two node proxies: what passes reaches the
 * application, what is too much does not, and its caller is told when to come again.
 */
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import {
  type ClientHttp2Session,
  connect as connectHttp2,
  createServer as createHttp2Server,
  type IncomingHttpHeaders,
  type ServerHttp2Stream,
} from "node:http2";
import { afterAll, beforeAll, beforeEach, expect, test } from "@jest/globals";
import { parse } from "yaml";
import { TokenIssuer } from "../fakes/token-issuer.ts";
import { A, B, PLAIN } from "../policy-language.ts";
import { ask, type RawAnswer, type RawRequest, requestText } from "./http-requests.ts";
import { startFromPod } from "./pod-network.ts";
import { createPolicyMesh, type Manifest, type PolicyMesh } from "./policy-mesh.ts";

const START_MS = 30_000;
const ISSUER = "https://issuer.example";
let world: PolicyMesh;
let application: Server;
/** Targets that the application was asked for. */
const seen: string[] = [];
const sessions: ClientHttp2Session[] = [];
const issuer = new TokenIssuer();
const grpc = createHttp2Server();
grpc.on("stream", (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
  seen.push(String(headers[":path"]));
  stream.respond({ ":status": 200, "content-type": "application/grpc", "grpc-status": "0" });
  stream.end();
});

beforeAll(async () => {
  await issuer.addKey("k1");
  application = createServer((request, response) => {
    seen.push(request.url ?? "");
    if (request.url === "/break") request.socket.destroy();
    else response.end("hello");
  });
  world = await createPolicyMesh("wl-limit", {
    protocols: { 80: "grpc", 8080: "http" },
    serve: (socket) => {
      (socket.localPort === 80 ? grpc : application).emit("connection", socket);
    },
  });
}, START_MS);

beforeEach(() => {
  seen.length = 0;
});

afterAll(async () => {
  for (const session of sessions) session.destroy();
  application.closeAllConnections();
  await world[Symbol.asyncDispose]();
}, START_MS);

function limits(name: string, ...rateLimits: readonly object[]): Manifest {
  return {
    apiVersion: "weft.dev/v1",
    kind: "TrafficPolicy",
    metadata: { name, namespace: "shop" },
    spec: { targetRefs: [{ kind: "Service", name: "api" }], rateLimits },
  };
}

async function send(request: RawRequest): Promise<RawAnswer> {
  const { a, b } = world.mesh.network;
  return ask(startFromPod(a, b.v4, 8080), requestText(request));
}

/** Statuses of so many requests, one after the other. */
async function statuses(count: number, request: RawRequest = {}): Promise<readonly number[]> {
  const all: number[] = [];
  for (let i = 0; i < count; i += 1) all.push((await send(request)).status);
  return all;
}

function times(status: number, count: number): readonly number[] {
  return Array.from({ length: count }, () => status);
}

test("rate limits: of 20 requests the documented limit passes 5 of each caller, and says when to come again", async () => {
  const page = readFileSync("docs/rate-limits.md", "utf8");
  const [, yaml = ""] = /^```yaml\n([\s\S]*?)^```$/m.exec(page) ?? [];
  world.rule([parse(yaml) as Manifest]);
  world.become(A);
  expect(await statuses(20, { target: "/orders/1" })).toEqual([
    ...times(200, 5),
    ...times(429, 15),
  ]);
  expect(seen).toHaveLength(5);
  const { head, reason, body } = await send({ target: "/orders" });
  expect({ reason, body }).toEqual({ reason: "rate_limited", body: "too many requests\n" });
  const [, wait = ""] = /^retry-after: (\d+)$/im.exec(head) ?? [];
  expect(Number(wait)).toBeGreaterThan(0);
  expect(Number(wait)).toBeLessThanOrEqual(3600);
  expect(head).toMatch(/^ratelimit-policy: "per-caller";q=5;w=3600, "everything";q=100;w=1$/im);
  expect(head).toMatch(/^ratelimit: "per-caller";r=0;t=\d+, "everything";r=\d+(;t=1)?$/im);
  world.become(B);
  expect(await statuses(6, { target: "/orders" })).toEqual([...times(200, 5), 429]);
  world.become(PLAIN);
  expect(await statuses(6, { target: "/orders" })).toEqual([...times(200, 5), 429]);
  expect(await statuses(1, { target: "/other" })).toEqual([200]);
});

test("rate limits: every answer says what is left, the application's and ours alike", async () => {
  world.become(A);
  const fixedWindow = { requests: 9, window: "1h" };
  const match = { hosts: ["api.shop"], headers: [{ name: "X-Route", value: "v2" }] };
  world.rule([limits("told", { name: "told", match, fixedWindow })]);
  const lines = ["x-route: v2"];
  const first = await send({ lines });
  expect(first.head).toMatch(/^ratelimit-policy: "told";q=9;w=3600$/im);
  expect(first.head).toMatch(/^ratelimit: "told";r=8;t=3600$/im);
  const broken = await send({ target: "/break", lines });
  expect([broken.status, broken.reason]).toEqual([503, "upstream_reset"]);
  expect(broken.head).toMatch(/^ratelimit: "told";r=7;t=\d+$/im);
  for (const other of [{}, { lines, host: "api" }]) {
    const { status, head } = await send(other);
    expect(status).toBe(200);
    expect(head).not.toMatch(/^ratelimit/im);
  }
});

test("rate limits: what is refused is in the log with its code and caller, and never as carried", async () => {
  world.become(A);
  world.rule([limits("log", { name: "none", fixedWindow: { requests: 1, window: "1h" } })]);
  await send({});
  await send({ target: "/late" });
  // It is told before the caller is.
  const told = world.mesh.b.ended.filter(({ facts }) => facts.request?.path === "/late");
  expect(told).toMatchObject([
    {
      facts: {
        request: { status: 429 },
        source: { identity: "spiffe://cluster.local/ns/shop/sa/web" },
      },
      outcome: { code: "rate_limited", carried: false },
    },
  ]);
});

test("rate limits: what policy denies is not counted", async () => {
  world.become(A);
  const deny: Manifest = {
    apiVersion: "weft.dev/v1",
    kind: "AuthorizationPolicy",
    metadata: { name: "p", namespace: "shop" },
    spec: { action: "DENY", rules: [{ to: [{ operation: { paths: ["/admin"] } }] }] },
  };
  world.rule([deny, limits("denied", { name: "one", fixedWindow: { requests: 1, window: "1h" } })]);
  expect(await statuses(3, { target: "/admin" })).toEqual(times(403, 3));
  expect(await statuses(2)).toEqual([200, 429]);
});

test("rate limits: each value of a header and of a verified claim has its own", async () => {
  world.become(A);
  const quota = { slidingWindow: { requests: 1, window: "1h" } };
  const header = limits("header", { name: "tenant", by: { header: "X-Tenant" }, ...quota });
  world.rule([header]);
  expect(await statuses(2, { lines: ["x-tenant: blue"] })).toEqual([200, 429]);
  expect(await statuses(2, { lines: ["x-tenant: red"] })).toEqual([200, 429]);
  const jwtRules = [{ issuer: ISSUER, jwks: issuer.jwks() }];
  const metadata = { name: "tokens", namespace: "shop" };
  const tokens: Manifest = {
    apiVersion: "weft.dev/v1",
    kind: "RequestAuthentication",
    metadata,
    spec: { jwtRules },
  };
  const claim = limits("claim", { name: "tenant", by: { claim: ["org", "tenant"] }, ...quota });
  world.rule([tokens, claim]);
  for (const tenant of ["blue", "red"]) {
    const token = await issuer.sign({ iss: ISSUER, org: { tenant } });
    const lines = [`authorization: Bearer ${token}`];
    expect(await statuses(2, { lines })).toEqual([200, 429]);
  }
});

test("rate limits: a gRPC call beyond the limit is told UNAVAILABLE, with when to come again", async () => {
  world.become(A);
  const match = { pathPrefix: "/shop.Orders/List", methods: ["POST"] };
  const tokenBucket = { requests: 1, window: "1h", burst: 2 };
  world.rule([limits("grpc", { name: "list", match, tokenBucket })]);
  const { a, b } = world.mesh.network;
  const socket = startFromPod(a, b.v4, 80);
  const session = connectHttp2("http://api.shop", { createConnection: () => socket });
  sessions.push(session);
  async function call(path: string): Promise<IncomingHttpHeaders> {
    const stream = session.request({
      ":method": "POST",
      ":path": path,
      "content-type": "application/grpc",
      te: "trailers",
    });
    const [headers] = (await once(stream.end(), "response")) as [IncomingHttpHeaders];
    return headers;
  }
  const all: IncomingHttpHeaders[] = [];
  for (let i = 0; i < 3; i += 1) all.push(await call("/shop.Orders/List"));
  expect(all.map((headers) => headers["grpc-status"])).toEqual(["0", "0", "14"]);
  const told = all.map(({ ratelimit }) => String(ratelimit).replace(/t=\d+/, "t"));
  expect(told).toEqual(['"list";r=1;t', '"list";r=0;t', '"list";r=0;t']);
  expect(all[2]).toMatchObject({ ":status": 200, "x-weft-reason": "rate_limited" });
  expect(all[2]?.["retry-after"]).toMatch(/^\d+$/);
  expect(await call("/shop.Orders/Get")).toMatchObject({ "grpc-status": "0" });
  expect(seen).toEqual(["/shop.Orders/List", "/shop.Orders/List", "/shop.Orders/Get"]);
  session.close();
});

test("rate limits: a limit that goes lets everything pass", async () => {
  world.become(A);
  world.rule([limits("gone", { name: "one", fixedWindow: { requests: 1, window: "1h" } })]);
  expect(await statuses(2)).toEqual([200, 429]);
  world.rule([]);
  expect(await statuses(3)).toEqual(times(200, 3));
});
