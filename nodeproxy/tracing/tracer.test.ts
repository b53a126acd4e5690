import { expect, test } from "@jest/globals";
import { type ReadSpan, readSpan } from "../../test/fakes/read-spans.ts";
import type { ConnectionFacts, RequestLine } from "../flow/connection-facts.ts";
import type { RequestHead } from "../http/message.ts";
import { EpochClock } from "./epoch-clock.ts";
import { Tracer } from "./tracer.ts";

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const PARENT = "b7ad6b7169203331";
const W3C = `00-${TRACE}-${PARENT}-01`;
const WEB = { namespace: "shop", name: "web-1", owner: "web", identity: "" };
const API = { namespace: "shop", name: "api-1", owner: "api", identity: "" };

/** With ids that count up, and a clock that is moved. */
class World {
  nowMs = 1_700_000_000_000.25;
  partsPerMillion = 1_000_000;
  readonly spans: ReadSpan[] = [];
  #ids = 0;
  readonly tracer = new Tracer({
    settings: () => ({ partsPerMillion: this.partsPerMillion }),
    ended: (_facts, span) => this.spans.push(readSpan(span)),
    newId: (octets) => {
      this.#ids += 1;
      return `${this.#ids}`.padStart(octets * 2, "0");
    },
    clock: new EpochClock({ wall: () => this.nowMs, steady: () => this.nowMs - 1_000 }),
  });

  /** The span of one request that takes 1.5 ms. */
  span(fields: readonly string[], part: Partial<ConnectionFacts> = {}, line = {}): ReadSpan {
    const head = this.tracer.begin(headWith(fields));
    this.nowMs += 1.5;
    this.tracer.ended(factsOf(head, part, line), {
      code: "",
      carried: true,
      bytesSent: 0,
      bytesReceived: 0,
    });
    const span = this.spans.at(-1);
    if (!span) throw new Error("no span");
    return span;
  }
}

function headWith(fields: readonly string[]): RequestHead {
  const target = { path: "/a", query: "?token=s3cret", authority: "api.shop:8080", scheme: "http" };
  return { method: "GET", ...target, fields, upgrade: "", version: "1.1" };
}

function factsOf(
  { method, path, authority: host, fields, trace }: RequestHead,
  part: Partial<ConnectionFacts>,
  line: Partial<RequestLine>,
): ConnectionFacts {
  const told = trace ? { trace } : {};
  return {
    direction: "outbound",
    sinceMs: 0,
    pod: "uid",
    source: WEB,
    sourceAddress: "10.0.0.1:40000",
    destination: API,
    destinationAddress: "10.96.0.1:80",
    upstreamAddress: "[fd00::2]:8080",
    service: "shop/api",
    tunnelled: true,
    request: { method, path, host, status: 200, fields, ...told, ...line },
    ...part,
  };
}

function field(head: RequestHead, name: string): string | undefined {
  const at = head.fields.indexOf(name);
  return at < 0 ? undefined : head.fields[at + 1];
}

test("Tracer: a request of nobody's trace begins one, as random as its flags say", () => {
  const { tracer } = new World();
  const head = tracer.begin(headWith(["x-a", "b"]));
  const [traceId, spanId] = ["1".padStart(32, "0"), "2".padStart(16, "0")];
  expect(head.fields).toEqual(["x-a", "b", "traceparent", `00-${traceId}-${spanId}-03`]);
  expect(head.trace).toMatchObject({ traceId, spanId, parentId: "" });
});

test("Tracer: a caller's sampled trace goes on with a span below the caller's", () => {
  const world = new World();
  world.partsPerMillion = 0;
  const span = world.span(["traceparent", W3C, "tracestate", "a=1"]);
  expect(span).toMatchObject({ traceId: TRACE, parentId: PARENT, state: "a=1", status: 0 });
  // Sampled, and a parent that is known to be of another process.
  expect(span.flags).toBe(0x301);
});

test("Tracer: what a caller does not sample goes on as it came, the very same head", () => {
  const { tracer } = new World();
  for (const fields of [
    ["traceparent", W3C.replace(/1$/, "0")],
    ["b3", "0"],
    ["x-b3-sampled", "0"],
  ]) {
    const head = headWith(fields);
    expect(tracer.begin(head)).toBe(head);
  }
});

test("Tracer: what is not sampled here is told so to whoever comes next, and has no span", () => {
  const world = new World();
  world.partsPerMillion = 0;
  const head = world.tracer.begin(headWith(["b3", `${TRACE}-${PARENT}`]));
  const spanId = "1".padStart(16, "0");
  expect(field(head, "traceparent")).toBe(`00-${TRACE}-${spanId}-00`);
  expect(field(head, "b3")).toBe(`${TRACE}-${spanId}-0-${PARENT}`);
  expect(head).not.toHaveProperty("trace");
});

test("Tracer: of a trace whose caller leaves it to us its id decides", () => {
  const world = new World();
  world.partsPerMillion = 500_000;
  const [low, high] = [
    `${"1".repeat(18)}70000000000000`,
    `${"1".repeat(18)}80000000000000`,
  ] as const;
  const traced = [low, high].map(
    (id) => world.tracer.begin(headWith(["b3", `${id}-${PARENT}`])).trace,
  );
  expect(traced.map((trace) => trace?.traceId)).toEqual([undefined, high]);
});

test("Tracer: the caller's span says where it went, by the conventions for HTTP clients", () => {
  const world = new World();
  const span = world.span(["traceparent", W3C], {}, { route: "shop/web", routeRule: "canary" });
  expect(span).toMatchObject({ name: "GET", kind: 3 });
  expect(span.beganNs).toBe(1_700_000_000_000_250_000n);
  expect(span.endedNs - span.beganNs).toBe(1_500_000n);
  expect(span.attributes).toEqual({
    "http.request.method": "GET",
    "http.response.status_code": 200,
    "url.scheme": "http",
    "url.path": "/a",
    "url.full": "http://api.shop:8080/a",
    "server.address": "api.shop",
    "server.port": 8080,
    "network.peer.address": "fd00::2",
    "network.peer.port": 8080,
    "network.protocol.version": "1.1",
    "weft.source.workload": "shop/web-1",
    "weft.destination.workload": "shop/api-1",
    "weft.service": "shop/api",
    "weft.route": "shop/web",
    "weft.route.rule": "canary",
  });
});

test("Tracer: the called one's span is a server's", () => {
  const world = new World();
  const span = world.span(
    ["traceparent", W3C],
    { direction: "inbound", service: "" },
    { method: "BREW" },
  );
  expect(span).toMatchObject({ name: "HTTP", kind: 2 });
  expect(span.attributes).toMatchObject({
    "http.request.method": "_OTHER",
    "http.request.method_original": "BREW",
    "client.address": "10.0.0.1",
  });
  expect(span.attributes).not.toHaveProperty("url.full");
});

test("Tracer: a call of gRPC is named by service and method", () => {
  const fields = ["traceparent", W3C, "content-type", "application/grpc+proto"];
  const line = { path: "/shop.Catalogue/Find", method: "POST", grpcStatus: 14 };
  const span = new World().span(fields, {}, line);
  expect(span).toMatchObject({ name: "shop.Catalogue/Find", status: 2 });
  expect(span.attributes).toMatchObject({
    "rpc.system": "grpc",
    "rpc.service": "shop.Catalogue",
    "rpc.method": "Find",
    "rpc.grpc.status_code": 14,
    "error.type": "14",
  });
});

test("Tracer: a call that a policy refuses has the status that its caller heard", () => {
  const fields = ["traceparent", W3C, "content-type", "application/grpc"];
  const line = { path: "/shop.Catalogue/Find", method: "POST", status: 403 };
  const span = new World().span(fields, { direction: "inbound" }, line);
  expect(span.attributes).toMatchObject({ "rpc.grpc.status_code": 7 });
  expect(span.status).toBe(0);
});

test("Tracer: long texts of a caller are cut", () => {
  const span = new World().span(["traceparent", W3C], {}, { path: `/${"a".repeat(60_000)}` });
  expect(String(span.attributes["url.path"])).toHaveLength(1_024);
});

test("EpochClock: is as fine as the steady clock, and follows the other one where that is set", () => {
  let wall = 1_000;
  let steady = 0.25;
  const clock = new EpochClock({ wall: () => wall, steady: () => steady });
  steady = 1.75;
  wall = 1_002;
  expect(clock.now()).toBe(1_001.5);
  wall = 500_000;
  expect(clock.now()).toBe(500_000);
  steady += 0.5;
  expect(clock.now()).toBe(500_000.5);
});

test("ended(): a tracestate that is longer than any has to be is not the span's, and goes on as it came", () => {
  const world = new World();
  const long = `a=${"b".repeat(1_023)}`;
  const fields = ["traceparent", W3C, "tracestate", long];
  expect(world.span(fields).state).toBe("");
  expect(world.tracer.begin(headWith(fields)).fields).toContain(long);
  expect(world.span(["traceparent", W3C, "tracestate", long.slice(1)]).state).toBe(long.slice(1));
});
