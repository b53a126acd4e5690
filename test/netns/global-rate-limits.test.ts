/**
 * Limits that are counted for all nodes, by Envoy's own rate limit service with a real Redis, through two node proxies: as
 * the page says it, what is over the limit is refused on whichever node it arrives, and what becomes of requests while
 * the service is away, slow, and back.
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
import type { Server as NetServer } from "node:net";
import { afterAll, beforeAll, beforeEach, expect, test } from "@jest/globals";
import { parseAllDocuments } from "yaml";
import type { MeshSettings } from "../../core/model/mesh-settings.ts";
import type { RateLimit } from "../../core/model/rate-limit.ts";
import type { ResourceBody } from "../../core/model/resource.ts";
import { parseMeshConfig } from "../../operator/resources/mesh-config.ts";
import { parseTrafficPolicy } from "../../operator/resources/traffic-policy.ts";
import { until } from "../world/until.ts";
import { ask, type RawAnswer, requestText } from "./http-requests.ts";
import { closeNode, listenInPod, openNode, startFromPod, type TestPod } from "./pod-network.ts";
import { RATE_LIMIT_PORT, RateLimitService } from "./rate-limit-service.ts";
import { createTrafficMesh, denyPort, enrolment, type TrafficMesh } from "./traffic-mesh.ts";

const START_MS = 300_000;
const PREFIX = "wl-global";
const HTTP = 8080;
const GRPC = 9090;
/** Where somebody listens who says nothing. */
const SILENT = 8082;
/** Longer than any answer takes, also of a machine that does other things. */
const PATIENT_MS = 120_000;

const page = readFileSync("docs/rate-limits.md", "utf8").split(
  "\n## Counted for all pods together\n",
);
const documented = documentedObjects(page[1] ?? "");

let mesh: TrafficMesh;
let place: TestPod;
let service: RateLimitService;
let application: Server;
const servers: NetServer[] = [];
const sessions: ClientHttp2Session[] = [];
/** Targets that the applications of both pods were asked for. */
const seen: string[] = [];
const grpc = createHttp2Server();
grpc.on("stream", (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
  seen.push(String(headers[":path"]));
  stream.respond({ ":status": 200, "content-type": "application/grpc", "grpc-status": "0" });
  stream.end();
});

/** The page's objects, and the service's configuration: its window must not end while tests run. */
function documentedObjects(text: string) {
  const [, objects = ""] = /^```yaml\n([\s\S]*?)^```$/m.exec(text) ?? [];
  const [, config = ""] = /^```yml\n([\s\S]*?)^```$/m.exec(text) ?? [];
  const [meshConfig, policy] = parseAllDocuments(objects).map((one): unknown => one.toJS());
  expect(config).toContain("unit: hour");
  return {
    meshConfig: parseMeshConfig(meshConfig),
    policy: parseTrafficPolicy(policy),
    config: config.replace("unit: hour", "unit: year"),
  };
}

beforeAll(async () => {
  application = createServer((request, response) => {
    seen.push(request.url ?? "");
    response.end("hello");
  });
  mesh = await createTrafficMesh(PREFIX);
  place = openNode(PREFIX, ["10.77.0.1", "fd77::1"]);
  const { a, b } = mesh.network;
  for (const pod of [a, b]) {
    for (const port of [HTTP, GRPC]) {
      const server = port === HTTP ? application : grpc;
      servers.push(
        await listenInPod(pod, { port, family: 4 }, (socket) => {
          server.emit(
            "connection",
            socket.on("error", () => undefined),
          );
        }),
      );
    }
  }
  service = await RateLimitService.start(place, documented.config);
}, START_MS);

beforeEach(() => {
  seen.length = 0;
  rule({});
});

afterAll(async () => {
  for (const session of sessions) session.destroy();
  application.closeAllConnections();
  await Promise.all(servers.map((server) => once(server.close(), "close")));
  await service[Symbol.asyncDispose]();
  closeNode(place);
  await mesh[Symbol.asyncDispose]();
}, START_MS);

interface Rules {
  readonly failOpen?: boolean;
  readonly timeoutMs?: number;
  readonly policies?: readonly string[];
  /** Of the service. */
  readonly port?: number;
}

const HTTP_PORTS = [
  { port: HTTP, version: "http1" },
  { port: GRPC, version: "http2" },
] as const;

/** Both pods have the documented limit; the service is in no pod of the mesh. */
function rule({
  failOpen = false,
  timeoutMs = PATIENT_MS,
  policies = [],
  port = RATE_LIMIT_PORT,
}: Rules): void {
  const { a, b } = mesh.network;
  const rateLimitService = { ...documentedService(), failOpen, timeoutMs, port };
  const value = { ...documentedSettings(), rateLimitService };
  const part = { httpPorts: HTTP_PORTS, rateLimits: limits(), policies };
  mesh.put(
    { kind: "settings", value },
    ...serviceInMesh(port),
    enrolment(a, "a", part),
    enrolment(b, "b", part),
  );
}

function documentedSettings(): MeshSettings {
  const { meshConfig } = documented;
  if (meshConfig.kind === "refused") throw new Error("the page's MeshConfig is refused");
  return meshConfig.value.settings;
}

function documentedService() {
  const { rateLimitService } = documentedSettings();
  if (!rateLimitService) throw new Error("the page's MeshConfig has no rateLimitService");
  expect(rateLimitService).toMatchObject({ port: RATE_LIMIT_PORT, failOpen: true });
  return rateLimitService;
}

/** The page's for HTTP, and the same for a gRPC service. */
function limits(): readonly RateLimit[] {
  const { policy } = documented;
  if (policy.kind === "refused") throw new Error("the page's TrafficPolicy is refused");
  return policy.value.rateLimits.flatMap(({ servicePorts: _ports, ...limit }) => [
    { policy: "shop/api-everywhere", ports: [HTTP], ...limit },
    { policy: "shop/grpc", ports: [GRPC], ...limit, pathPrefix: "/shop.Orders" },
  ]);
}

function serviceInMesh(port: number): readonly ResourceBody[] {
  const [namespace = "", name = ""] = documentedService().service.split("/");
  const endpoint = { workload: "", node: "node-a", ready: true, draining: false, zone: "" };
  return [
    {
      kind: "service",
      value: {
        namespace,
        name,
        addresses: [],
        ports: [{ port, name: "grpc", appProtocol: "" }],
        algorithm: "round_robin",
        localOnly: false,
        distribution: "anywhere",
        affinitySeconds: 0,
      },
    },
    {
      kind: "endpointSlice",
      value: {
        namespace,
        name: `${name}-1`,
        service: name,
        ports: [{ name: "grpc", port }],
        endpoints: [{ ...endpoint, address: place.v4, forZones: [], forNodes: [] }],
      },
    },
  ];
}

/** From one of the pods to the other. */
async function send(from: "a" | "b", tenant: string, target = "/orders"): Promise<RawAnswer> {
  const { a, b } = mesh.network;
  const [caller, called] = from === "a" ? [a, b] : [b, a];
  const lines = tenant === "" ? [] : [`x-tenant: ${tenant}`];
  return ask(startFromPod(caller, called.v4, HTTP), requestText({ target, lines }));
}

async function codes(count: number, tenant: string): Promise<readonly string[]> {
  const all: string[] = [];
  for (let i = 0; i < count; i += 1) {
    const { status, reason } = await send("a", tenant);
    all.push(`${status} ${reason}`.trim());
  }
  return all;
}

/** What the called node's log says that the rate limit service has said of a request. */
async function asked(path: string): Promise<unknown> {
  const line = await until("a request's line in the log", () =>
    mesh.b.ended.find(({ facts: { request, direction } }) => {
      return direction === "inbound" && request?.path === path;
    }),
  );
  return line.facts.asked?.map(({ provider, answer }) => `${provider} ${answer}`);
}

test("global limits: what is over the documented limit is 429, with what the service says of it", async () => {
  const first = await send("a", "blue");
  expect(first.status).toBe(200);
  expect(first.head).toMatch(/^ratelimit-policy: "tenant";q=5;w=31536000$/im);
  expect(first.head).toMatch(/^ratelimit: "tenant";r=4;t=\d+$/im);
  // As the service itself writes it, with its LIMIT_RESPONSE_HEADERS_ENABLED.
  expect(first.head).toMatch(/^ratelimit-remaining: 4$/im);
  expect(await codes(6, "blue")).toEqual([
    "200",
    "200",
    "200",
    "200",
    "429 rate_limited",
    "429 rate_limited",
  ]);
  const { head, body } = await send("a", "blue", "/orders/over");
  expect(body).toBe("too many requests\n");
  const [, wait = ""] = /^retry-after: (\d+)$/im.exec(head) ?? [];
  expect(Number(wait)).toBeGreaterThan(0);
  expect(Number(wait)).toBeLessThanOrEqual(31_536_000);
  expect(head).toMatch(/^ratelimit: "tenant";r=0;t=\d+$/im);
  expect(seen).toHaveLength(5);
  expect(await asked("/orders/over")).toEqual(["rateLimitService denied"]);
  expect((await send("a", "red", "/orders/under")).status).toBe(200);
  expect(await asked("/orders/under")).toEqual(["rateLimitService permitted"]);
});

test("global limits: two nodes share one count, also when both are asked at once", async () => {
  const answers = await Promise.all(
    Array.from({ length: 20 }, async (_, i) => send(i % 2 === 0 ? "a" : "b", "shared")),
  );
  const passed = answers.filter(({ status }) => status === 200);
  const refused = answers.filter(
    ({ status, reason }) => status === 429 && reason === "rate_limited",
  );
  expect([passed.length, refused.length, seen.length]).toEqual([5, 15, 5]);
  expect([(await send("a", "shared")).status, (await send("b", "shared")).status]).toEqual([
    429, 429,
  ]);
});

test("global limits: requests without the header count together, as a dash", async () => {
  expect(await codes(6, "")).toEqual(["200", "200", "200", "200", "200", "429 rate_limited"]);
  expect(await codes(1, "-")).toEqual(["429 rate_limited"]);
});

test("global limits: what the service does not know is not limited", async () => {
  const { a, b } = mesh.network;
  const [limit] = limits();
  if (!limit) throw new Error("the page has no limit");
  const entries = [{ key: "nobody", value: { kind: "method" as const } }];
  const part = {
    httpPorts: HTTP_PORTS,
    rateLimits: [{ ...limit, count: { kind: "global" as const, entries } }],
  };
  mesh.put(enrolment(a, "a", part), enrolment(b, "b", part));
  const answers = await codes(7, "unknown");
  expect(new Set(answers)).toEqual(new Set(["200"]));
  expect((await send("a", "unknown")).head).not.toMatch(/^ratelimit/im);
});

async function openGrpc(): Promise<ClientHttp2Session> {
  const { a, b } = mesh.network;
  const socket = startFromPod(a, b.v4, GRPC);
  const session = connectHttp2("http://api.shop", { createConnection: () => socket });
  sessions.push(session.on("error", () => undefined));
  return session;
}

async function call(
  session: ClientHttp2Session,
  tenant: string,
  path = "/shop.Orders/List",
): Promise<IncomingHttpHeaders> {
  const stream = session.request({
    ":method": "POST",
    ":path": path,
    "content-type": "application/grpc",
    te: "trailers",
    "x-tenant": tenant,
  });
  const [headers] = (await once(stream.end(), "response")) as [IncomingHttpHeaders];
  return headers;
}

test("global limits: a gRPC call over the limit is told UNAVAILABLE, and counts with the others", async () => {
  await codes(3, "grpc");
  const session = await openGrpc();
  const all = await Promise.all(Array.from({ length: 4 }, async () => call(session, "grpc")));
  const [passed, over] = ["0", "14"].map((status) => {
    return all.filter((headers) => headers["grpc-status"] === status).length;
  });
  expect([passed, over]).toEqual([2, 2]);
  const refused = all.find((headers) => headers["grpc-status"] === "14");
  expect(refused).toMatchObject({ ":status": 200, "x-weft-reason": "rate_limited" });
  expect(refused?.["retry-after"]).toMatch(/^\d+$/);
  session.close();
});

test("global limits: while the service is away requests pass or not, as MeshConfig says; back, it counts on", async () => {
  expect(await codes(2, "away")).toEqual(["200", "200"]);
  await service.stop();
  const closed = await send("a", "away", "/orders/closed");
  expect(closed).toMatchObject({ status: 503, reason: "rate_limit_unavailable" });
  expect(await asked("/orders/closed")).toEqual(["rateLimitService unreachable"]);
  const session = await openGrpc();
  expect(await call(session, "away")).toMatchObject({
    "grpc-status": "14",
    "x-weft-reason": "rate_limit_unavailable",
  });
  session.close();
  expect(seen).toHaveLength(2);
  rule({ failOpen: true });
  // More than would keep an endpoint of several out for a while.
  expect(new Set(await codes(8, "away"))).toEqual(new Set(["200"]));
  expect((await send("a", "away", "/orders/open")).status).toBe(200);
  expect(await asked("/orders/open")).toEqual(["rateLimitService unreachable"]);
  const counted = await mesh.b.metrics();
  expect(counted).toMatch(
    /^weft_asked_total\{provider="rateLimitService",answer="unreachable"\} [1-9]/m,
  );
  await service.back();
  expect(await codes(4, "away")).toEqual(["200", "200", "200", "429 rate_limited"]);
});

test("global limits: a service that does not answer holds a request for its timeout at the most, and no other at all", async () => {
  expect(await codes(1, "slow")).toEqual(["200"]);
  service.hold();
  try {
    rule({ timeoutMs: 50 });
    const late = await send("a", "slow", "/orders/late");
    expect(late).toMatchObject({ status: 503, reason: "rate_limit_unavailable" });
    expect(await asked("/orders/late")).toEqual(["rateLimitService timeout"]);
    rule({ timeoutMs: 50, failOpen: true });
    expect(await codes(1, "slow")).toEqual(["200"]);
    rule({});
    const waiting = send("a", "slow");
    const session = await openGrpc();
    const stuck = call(session, "slow");
    expect((await send("a", "slow", "/other")).status).toBe(200);
    const other = await call(session, "slow", "/shop.Other/Get");
    expect(other).toMatchObject({ "grpc-status": "0" });
    expect(seen.filter((path) => path === "/shop.Orders/List")).toEqual([]);
    service.release();
    expect((await waiting).status).toBe(200);
    expect(await stuck).toMatchObject({ "grpc-status": "0" });
    session.close();
  } finally {
    service.release();
  }
});

test("global limits: a policy that comes while the service is asked holds", async () => {
  const { promise: question, resolve } = Promise.withResolvers<ServerHttp2Stream>();
  const silent = createHttp2Server().on("stream", resolve);
  const listening = await listenInPod(place, { port: SILENT, family: 4 }, (socket) => {
    silent.emit(
      "connection",
      socket.on("error", () => undefined),
    );
  });
  rule({ failOpen: true, port: SILENT });
  const waiting = send("a", "policy");
  const { session } = await question;
  mesh.put(denyPort("shop/deny", HTTP));
  rule({ failOpen: true, port: SILENT, policies: ["shop/deny"] });
  // What it then cannot be asked about would pass.
  listening.close();
  session?.destroy();
  expect(await waiting).toMatchObject({ status: 403, reason: "denied_by_policy" });
  expect(seen).toEqual([]);
});
