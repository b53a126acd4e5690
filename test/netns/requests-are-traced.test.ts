/**
 * Requests through two node proxies, an application that passes on what it is told, and a real Collector: who is whose
 * parent, who is sampled, in which form the trace goes on, and what becomes of spans while nobody takes them.
 */
import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, type IncomingMessage, request } from "node:http";
import {
  connect,
  constants,
  createServer as createHttp2Server,
  type ServerHttp2Stream,
} from "node:http2";
import type { Server as NetServer, Socket } from "node:net";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "@jest/globals";
import type { TracingSettings } from "../../core/model/mesh-settings.ts";
import type { Endpoint, Service, ServicePort } from "../../core/model/service.ts";
import { type CollectedSpan, OtlpCollector } from "../world/otlp-collector.ts";
import { until } from "../world/until.ts";
import { Caller, putService } from "./balanced-service.ts";
import { listenInPod, startFromPod } from "./pod-network.ts";
import {
  createTrafficMesh,
  enrolment,
  type LoggedConnection,
  SETTINGS,
  type TrafficMesh,
  type TrafficNode,
} from "./traffic-mesh.ts";

const START_MS = 300_000;
/** Of this process alone: the collector comes back at the same. */
const COLLECTOR = `127.${77 + (process.pid >> 16)}.${(process.pid >> 8) & 255}.${process.pid & 255}`;
const PORT = 4318;
const TRACE = "0af7651916cd43dd8448eb211c80319c";
const PARENT = "b7ad6b7169203331";
const CALLER = `00-${TRACE}-${PARENT}-01`;
const WEB = 8081;
const GRPC = 8082;
/** In pod a, at another Service. */
const BACK = 8091;
const BACK_ADDRESS = "10.96.0.11";
let mesh: TrafficMesh;
let caller: Caller;
const collector = new OtlpCollector(`${COLLECTOR}:${PORT}`);
const listeners: NetServer[] = [];
/** What the applications have seen. */
const seen: IncomingHttpHeaders[] = [];
const application = createServer((asked, response) => {
  seen.push(asked.headers);
  if (asked.url === "/through") void callBack(asked).then(() => response.end("through"));
  else response.end("here");
});
const grpc = createHttp2Server().on("stream", (stream: ServerHttp2Stream, head) => {
  seen.push(head);
  stream.on("error", () => undefined).resume();
  stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
  stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "5" }));
  stream.end();
});

beforeAll(async () => {
  mesh = await createTrafficMesh("wt-traced");
  await collector.start();
  const { a, b } = mesh.network;
  listeners.push(
    await listenInPod(b, { port: WEB, family: 4 }, serve),
    await listenInPod(a, { port: BACK, family: 4 }, serve),
    await listenInPod(b, { port: GRPC, family: 4 }, (socket) => grpc.emit("connection", socket)),
  );
  mesh.put(
    enrolment(a, "a", { httpPorts: [{ port: BACK, version: "http1" }] }),
    enrolment(b, "b", {
      httpPorts: [
        { port: WEB, version: "http1" },
        { port: GRPC, version: "http2" },
      ],
    }),
  );
  putService(mesh, { name: "web", ports: [WEB] });
  putBack();
  putCollector();
}, START_MS);

beforeEach(() => {
  caller = new Caller(mesh, 8);
  seen.length = 0;
});

afterEach(() => {
  caller.close();
});

afterAll(async () => {
  // First: it keeps connections to the applications.
  await mesh[Symbol.asyncDispose]();
  await Promise.all(listeners.map((server) => once(server.close(), "close")));
  await collector.stop();
}, START_MS);

function serve(socket: Socket): void {
  application.emit("connection", socket);
}

/** In pod a. */
function putBack(): void {
  const { v4: address } = mesh.network.a;
  const port = { port: 80, name: "http", appProtocol: "", http: "http1" } as const;
  putEndpoint({ namespace: "shop", name: "back", addresses: [BACK_ADDRESS] }, port, {
    address,
    port: BACK,
    workload: "uid-a",
  });
}

/** No pod of the mesh. */
function putCollector(): void {
  const port = { port: 4_000, name: "otlp", appProtocol: "" };
  putEndpoint({ namespace: "ops", name: "collector", addresses: [] }, port, {
    address: COLLECTOR,
    port: PORT,
    workload: "",
  });
}

type Named = Pick<Service, "namespace" | "name" | "addresses">;
type To = Pick<Endpoint, "address" | "workload"> & { readonly port: number };

function putEndpoint({ namespace, name, addresses }: Named, port: ServicePort, to: To): void {
  const rest = { algorithm: "round_robin", localOnly: false, distribution: "anywhere" } as const;
  const { address, workload } = to;
  const state = {
    ready: true,
    draining: false,
    node: "node-a",
    zone: "",
    forZones: [],
    forNodes: [],
  };
  mesh.put(
    {
      kind: "service",
      value: { namespace, name, addresses, ports: [port], ...rest, affinitySeconds: 0 },
    },
    {
      kind: "endpointSlice",
      value: {
        namespace,
        name: `${name}-1`,
        service: name,
        ports: [{ name: port.name, port: to.port }],
        endpoints: [{ address, workload, ...state }],
      },
    },
  );
}

/** As an application of pod b does that knows W3C's fields: it hands them on. */
async function callBack({ headers }: IncomingMessage): Promise<void> {
  const { traceparent = "", tracestate = "" } = headers;
  const asked = request({
    host: "back.shop",
    path: "/back",
    headers: { traceparent, tracestate },
    createConnection: () => startFromPod(mesh.network.b, BACK_ADDRESS, 80),
  });
  asked.end();
  const [answer] = (await once(asked, "response")) as [IncomingMessage];
  await once(answer.resume(), "end");
}

async function trace(part: Partial<TracingSettings> = {}): Promise<void> {
  const tracing = { service: COLLECTOR, port: PORT, partsPerMillion: 1_000_000, ...part };
  const { value } = SETTINGS;
  mesh.put({ ...SETTINGS, value: { ...value, tracing } } as typeof SETTINGS);
  // What it takes is loaded late.
  await until("both nodes to trace", async () => {
    const before = [mesh.a.ended.length, mesh.b.ended.length] as const;
    await caller.get("/warm", { headers: { traceparent: CALLER.replace("0af", "000") } });
    const [a, b] = await Promise.all([next(mesh.a, before[0]), next(mesh.b, before[1])]);
    return a.facts.request?.trace && b.facts.request?.trace ? true : undefined;
  });
  seen.length = 0;
}

/** The line of the request that came first behind that many. */
async function next(node: TrafficNode, from: number): Promise<LoggedConnection> {
  return until("a line of a request", () =>
    node.ended.slice(from).find(({ facts }) => facts.request !== undefined),
  );
}

async function line(node: TrafficNode, path: string): Promise<LoggedConnection> {
  return until(`the line of ${path}`, () =>
    node.ended.find(({ facts }) => facts.request?.path === path),
  );
}

function one(spans: readonly CollectedSpan[], kind: string, workload: string): CollectedSpan {
  const found = spans.filter(
    ({ kind: of, attributes }) => of === kind && attributes["service.name"] === workload,
  );
  expect(found).toHaveLength(1);
  const [span] = found;
  if (!span) throw new Error("none");
  return span;
}

async function fates(node: TrafficNode): Promise<Readonly<Record<string, number>>> {
  const text = await node.metrics();
  const found = text.matchAll(/^weft_trace_spans_total\{fate="(\w+)"\} (\d+)$/gm);
  return Object.fromEntries([...found].map(([, fate = "", count]) => [fate, Number(count)]));
}

test("spans of both hops, and of both hops behind an application that passes the trace on, are each other's parents", async () => {
  await trace();
  const state = "vendor=opaque";
  await caller.get("/through", { headers: { traceparent: CALLER, tracestate: state } });
  const spans = await collector.of(TRACE, 4);
  expect(spans).toHaveLength(4);
  const first = one(spans, "CLIENT", "a");
  const second = one(spans, "SERVER", "b");
  const third = one(spans, "CLIENT", "b");
  const last = one(spans, "SERVER", "a");
  expect([first, second, third, last].map(({ parentId }) => parentId)).toEqual([
    PARENT,
    first.spanId,
    second.spanId,
    third.spanId,
  ]);
  for (const { state: told } of spans) expect(told).toBe(state);
  expect(seen.map(({ traceparent }) => traceparent)).toEqual([
    `00-${TRACE}-${second.spanId}-01`,
    `00-${TRACE}-${last.spanId}-01`,
  ]);
  expect(first.began <= second.began && second.ended <= first.ended).toBe(true);
  expect(first.attributes).toMatchObject({
    "service.namespace": "shop",
    "k8s.pod.uid": "uid-a",
    "k8s.node.name": "node-a",
    "http.request.method": "GET",
    "http.response.status_code": "200",
    "url.path": "/through",
    "server.address": "api.shop",
    "network.peer.address": mesh.network.b.v4,
    "network.peer.port": `${WEB}`,
    "network.protocol.version": "1.1",
    "weft.source.workload": "shop/a",
    "weft.destination.workload": "shop/b",
    "weft.service": "shop/web",
  });
  expect(second.attributes).toMatchObject({
    "k8s.pod.uid": "uid-b",
    "client.address": mesh.network.a.v4,
    "weft.source.workload": "shop/a",
    "weft.destination.workload": "shop/b",
  });
  for (const node of [mesh.a, mesh.b]) {
    expect((await line(node, "/through")).facts.request?.trace?.traceId).toBe(TRACE);
  }
});

test("a trace that begins here has one root, the caller's hop; a request that is refused has a span with the code", async () => {
  await trace();
  await caller.get("/root");
  const { facts } = await line(mesh.a, "/root");
  const traceId = facts.request?.trace?.traceId ?? "";
  const spans = await collector.of(traceId, 2);
  const root = one(spans, "CLIENT", "a");
  expect([root.parentId, one(spans, "SERVER", "b").parentId]).toEqual(["", root.spanId]);
  expect(root.isError).toBe(false);
  putService(mesh, { name: "none", ports: [], address: "10.96.0.12" });
  const asked = startFromPod(mesh.network.a, "10.96.0.12", 80).on("error", () => undefined);
  asked.end(`GET /none HTTP/1.1\r\nhost: none\r\ntraceparent: ${CALLER}\r\n\r\n`);
  await once(asked.resume(), "close");
  const refused = await until("its span", () =>
    collector.spans.find(({ attributes }) => attributes["url.path"] === "/none"),
  );
  expect(refused).toMatchObject({ kind: "CLIENT", parentId: PARENT, isError: true });
  expect(refused.attributes).toMatchObject({
    "error.type": "no_ready_endpoint",
    "http.response.status_code": "503",
  });
  mesh.remove({ kind: "service", name: "shop/none" });
});

test("with a share of 0 only a caller that samples is sampled; the others hear that they are not, all along", async () => {
  await trace({ partsPerMillion: 0 });
  await caller.get("/unsampled");
  for (const node of [mesh.a, mesh.b]) {
    expect((await line(node, "/unsampled")).facts.request).not.toHaveProperty("trace");
  }
  expect(seen[0]?.["traceparent"]).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-02$/);
  await caller.get("/asked", { headers: { traceparent: CALLER } });
  expect((await line(mesh.b, "/asked")).facts.request?.trace?.traceId).toBe(TRACE);
  const unsampled = CALLER.replace(/01$/, "00");
  await trace();
  await caller.get("/declined", { headers: { traceparent: unsampled } });
  expect((await line(mesh.b, "/declined")).facts.request).not.toHaveProperty("trace");
  expect(seen[0]?.["traceparent"]).toBe(unsampled);
});

test("B3 goes on in the form that it came in, and by W3C beside it", async () => {
  await trace();
  const [single, multi] = ["1".repeat(32), "2".repeat(16)] as const;
  await caller.get("/single", { headers: { b3: `${single}-${PARENT}-1` } });
  const ofSingle = await collector.of(single, 2);
  const [hop, far] = [one(ofSingle, "CLIENT", "a"), one(ofSingle, "SERVER", "b")];
  expect([hop.parentId, far.parentId]).toEqual([PARENT, hop.spanId]);
  expect(seen[0]).toMatchObject({
    b3: `${single}-${far.spanId}-1-${hop.spanId}`,
    traceparent: `00-${single}-${far.spanId}-01`,
  });
  const lines = { "x-b3-traceid": multi, "x-b3-spanid": PARENT, "x-b3-sampled": "1" };
  await caller.get("/multi", { headers: lines });
  const ofMulti = await collector.of(multi.padStart(32, "0"), 2);
  const near = one(ofMulti, "CLIENT", "a");
  expect(near.parentId).toBe(PARENT);
  expect(seen[1]).toMatchObject({
    "x-b3-traceid": multi,
    "x-b3-spanid": one(ofMulti, "SERVER", "b").spanId,
    "x-b3-parentspanid": near.spanId,
    "x-b3-sampled": "1",
  });
  expect(seen[1]).not.toHaveProperty("b3");
  const decline = { b3: "0" };
  await caller.get("/declined-by-b3", { headers: decline });
  expect(seen[2]).toMatchObject(decline);
  expect((await line(mesh.b, "/declined-by-b3")).facts.request).not.toHaveProperty("trace");
});

test("without tracing what an application says of its trace passes untouched, in any form", async () => {
  mesh.put(SETTINGS);
  const said = { traceparent: CALLER, tracestate: "vendor=opaque", b3: `${TRACE}-${PARENT}-1` };
  await caller.get("/untraced", { headers: said });
  expect(seen[0]).toMatchObject(said);
  for (const node of [mesh.a, mesh.b]) {
    expect((await line(node, "/untraced")).facts.request).not.toHaveProperty("trace");
  }
});

test("a call of gRPC is a span of its service and method, with its status", async () => {
  await trace();
  putService(mesh, { name: "grpc", ports: [GRPC], version: "http2", address: "10.96.0.13" });
  const traceId = "3".repeat(32);
  const socket = startFromPod(mesh.network.a, "10.96.0.13", 80);
  const session = connect("http://grpc.shop", { createConnection: () => socket });
  const stream = session.request({
    [constants.HTTP2_HEADER_METHOD]: "POST",
    [constants.HTTP2_HEADER_PATH]: "/shop.Catalogue/Find",
    "content-type": "application/grpc",
    te: "trailers",
    traceparent: CALLER.replace(TRACE, traceId),
  });
  stream.end();
  await once(stream.resume(), "close");
  session.close();
  const spans = await collector.of(traceId, 2);
  const [client, server] = [one(spans, "CLIENT", "a"), one(spans, "SERVER", "b")];
  expect(server.parentId).toBe(client.spanId);
  // NOT_FOUND is the caller's error, and none of the server.
  expect([client.isError, server.isError]).toEqual([true, false]);
  for (const { name, attributes } of spans) {
    expect(name).toBe("shop.Catalogue/Find");
    expect(attributes).toMatchObject({
      "rpc.system": "grpc",
      "rpc.service": "shop.Catalogue",
      "rpc.method": "Find",
      "rpc.grpc.status_code": "5",
      "network.protocol.version": "2",
    });
  }
});

test("a collector that is away costs no request anything: spans wait, the bound holds, and what waited comes once it is back", async () => {
  await trace({ service: "ops/collector", port: 4_000 });
  const before = await fates(mesh.a);
  await collector.stop();
  const bound = 4_096;
  let left = bound + 200;
  async function send(): Promise<void> {
    while (left > 0) {
      left -= 1;
      const { status } = await caller.get("/away", {
        headers: { traceparent: `00-${"4".repeat(32)}-${PARENT}-01` },
      });
      expect(status).toBe(200);
    }
  }
  await Promise.all(Array.from({ length: 8 }, send));
  const lost = await until("spans that have no place", async () => {
    const { queue_full = 0 } = await fates(mesh.a);
    return queue_full > 0 ? queue_full : undefined;
  });
  expect(lost).toBeLessThanOrEqual(200 + 8);
  await collector.start();
  const { exported = 0 } = before;
  await until("what waited", async () => {
    const now = await fates(mesh.a);
    return (now["exported"] ?? 0) - exported >= bound ? true : undefined;
  });
  const came = await until("them at the collector", () => {
    const spans = collector.spans.filter(({ attributes }) => attributes["url.path"] === "/away");
    return spans.length >= bound ? spans : undefined;
  });
  expect(new Set(came.map(({ spanId }) => spanId)).size).toBe(came.length);
});
