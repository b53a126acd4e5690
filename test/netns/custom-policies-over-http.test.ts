/**
 * CUSTOM policies about requests: the authorizer is asked over HTTP and over gRPC, through the mesh, about each request by
 * itself; what it says changes the request, or is what the caller gets.
 */
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { Server } from "node:net";
import { afterAll, beforeAll, beforeEach, expect, test } from "@jest/globals";
import type { CompiledPolicy } from "../../core/model/authorization-policy.ts";
import type { AuthorizationProvider } from "../../core/model/authorization-provider.ts";
import { ExternalAuthorizer } from "../fakes/external-authorizer.ts";
import { ask, type RawRequest, requestText } from "./http-requests.ts";
import { listenInPod, startFromPod } from "./pod-network.ts";
import { createTrafficMesh, enrolment, type TrafficMesh, workload } from "./traffic-mesh.ts";

const APP = 8080;
const HTTP_AUTHORIZER = 9292;
const GRPC_AUTHORIZER = 9191;
const START_MS = 30_000;

let mesh: TrafficMesh;
const servers: Server[] = [];
/** What the application, and the authorizer over HTTP, were asked. */
const seen: IncomingMessage[] = [];
const asked: IncomingMessage[] = [];
let judge: (request: IncomingMessage, response: ServerResponse) => void;
const grpc = new ExternalAuthorizer();
const application = createServer((request, response) => {
  seen.push(request);
  response.end("hello");
});
const authorizer = createServer((request, response) => {
  asked.push(request);
  judge(request, response);
});

beforeAll(async () => {
  mesh = await createTrafficMesh("wl-custom");
  const { a, b } = mesh.network;
  servers.push(
    await listenInPod(b, { port: APP, family: 4 }, (socket) => {
      application.emit("connection", socket);
    }),
    await listenInPod(a, { port: HTTP_AUTHORIZER, family: 4 }, (socket) => {
      authorizer.emit("connection", socket);
    }),
    await listenInPod(a, { port: GRPC_AUTHORIZER, family: 4 }, (socket) => grpc.take(socket)),
  );
}, START_MS);

beforeEach(() => {
  seen.length = 0;
  asked.length = 0;
  grpc.questions.length = 0;
  rule("http");
});

afterAll(async () => {
  application.closeAllConnections();
  authorizer.closeAllConnections();
  grpc.dropConnections();
  await Promise.all(servers.map((server) => once(server.close(), "close")));
  await mesh[Symbol.asyncDispose]();
}, START_MS);

const HTTP: AuthorizationProvider["protocol"] = {
  kind: "http",
  pathPrefix: "/check",
  requestHeaders: [{ kind: "exact", value: "x-tenant" }],
  additionalHeaders: [],
  upstreamHeadersOnAllow: [{ kind: "exact", value: "x-user" }],
  downstreamHeadersOnAllow: [],
  downstreamHeadersOnDeny: [{ kind: "exact", value: "location" }],
};

const ASK: CompiledPolicy = {
  ref: "shop/ask",
  action: "CUSTOM",
  provider: "opa",
  dryRun: false,
  invalid: false,
  rules: [
    {
      index: 0,
      from: [],
      to: [
        {
          ports: [],
          notPorts: [],
          layer7: {
            hosts: [],
            notHosts: [],
            methods: [],
            notMethods: [],
            paths: [{ kind: "prefix", value: "/private" }],
            notPaths: [],
          },
        },
      ],
      when: [],
    },
  ],
};

function rule(kind: "http" | "grpc", part: Partial<AuthorizationProvider> = {}): void {
  const { a, b } = mesh.network;
  const port = kind === "http" ? HTTP_AUTHORIZER : GRPC_AUTHORIZER;
  const provider: AuthorizationProvider = {
    name: "opa",
    service: "shop/opa",
    port,
    timeoutMs: 10_000,
    failOpen: false,
    statusOnError: 503,
    protocol: kind === "http" ? HTTP : { kind: "grpc" },
    ...part,
  };
  mesh.put(
    {
      kind: "settings",
      value: {
        trustDomain: "cluster.local",
        trustDomainAliases: [],
        leafLifetimeSeconds: 86_400,
        accessLog: true,
        outboundPolicy: "ALLOW_ANY",
        authorizationProviders: [provider],
      },
    },
    {
      kind: "service",
      value: {
        namespace: "shop",
        name: "opa",
        addresses: ["10.96.0.20"],
        ports: [{ port, name: "", appProtocol: "" }],
        algorithm: "round_robin",
        localOnly: false,
        distribution: "anywhere",
        affinitySeconds: 0,
      },
    },
    {
      kind: "endpointSlice",
      value: {
        namespace: "shop",
        name: "opa-1",
        service: "opa",
        ports: [{ name: "", port }],
        endpoints: [
          {
            address: a.v4,
            workload: "uid-a",
            node: "node-a",
            ready: true,
            draining: false,
            zone: "",
            forZones: [],
            forNodes: [],
          },
        ],
      },
    },
    { kind: "policy", value: ASK },
    workload(a, "a", {}),
    workload(b, "b", {}),
    enrolment(a, "a", {}),
    enrolment(b, "b", { policies: [ASK.ref], httpPorts: [{ port: APP, version: "http1" }] }),
  );
}

async function send(request: RawRequest) {
  const { a, b } = mesh.network;
  return ask(startFromPod(a, b.v4, APP), requestText(request));
}

test("CUSTOM over HTTP: what it permits goes on with the headers that it adds", async () => {
  judge = (_request, response) => response.setHeader("x-user", "ann").end();
  const lines = ["x-user: root", "x-tenant: blue", "x-other: o"];
  expect((await send({ target: "/private?id=1", lines })).status).toBe(200);
  expect(asked[0]?.url).toBe("/check/private?id=1");
  expect(asked[0]?.headers).toMatchObject({ host: "api.shop", "x-tenant": "blue" });
  expect(asked[0]?.headers["x-other"]).toBeUndefined();
  expect(seen[0]?.headers["x-user"]).toBe("ann");
});

test("CUSTOM over HTTP: what it denies gets its answer, and does not reach the application", async () => {
  judge = (_request, response) => response.writeHead(302, { location: "/login" }).end("log in");
  const { status, head, body, reason } = await send({ target: "/private" });
  expect({ status, body, reason }).toEqual({
    status: 302,
    body: "log in",
    reason: "denied_by_provider",
  });
  expect(head).toMatch(/^location: \/login$/im);
  expect(seen).toEqual([]);
});

test("CUSTOM over HTTP: what no rule matches is not asked about", async () => {
  expect((await send({ target: "/public" })).status).toBe(200);
  expect(asked).toEqual([]);
});

test("CUSTOM over HTTP: one that fails denies with the status that is set, or lets pass if that is", async () => {
  judge = (_request, response) => response.writeHead(500).end();
  expect((await send({ target: "/private" })).status).toBe(503);
  expect(seen).toEqual([]);
  rule("http", { failOpen: true });
  expect((await send({ target: "/private" })).status).toBe(200);
});

test("CUSTOM over gRPC: it is told of the request as the application would get it", async () => {
  rule("grpc");
  expect((await send({ target: "/private//x?id=1", lines: ["x-tenant: blue"] })).status).toBe(403);
  grpc.welcome.add("spiffe://cluster.local/ns/shop/sa/a");
  expect((await send({ target: "/private//x?id=1", lines: ["x-tenant: blue"] })).status).toBe(200);
  expect(grpc.questions.at(-1)?.attributes?.request?.http).toMatchObject({
    method: "GET",
    path: "/private/x?id=1",
    host: "api.shop",
    protocol: "HTTP/1.1",
  });
  expect(grpc.questions.at(-1)?.attributes?.request?.http?.headers["x-tenant"]).toBe("blue");
  expect(seen).toHaveLength(1);
});
