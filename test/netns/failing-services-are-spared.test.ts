/** What a TrafficPolicy's `http` does for a Service that fails or is slow, in real namespaces: counted at its backends. */
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import {
  type ClientHttp2Session,
  connect,
  createServer as createHttp2Server,
  type IncomingHttpHeaders,
  type ServerHttp2Stream,
} from "node:http2";
import type { Server as NetServer, Socket } from "node:net";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "@jest/globals";
import { DEFAULT_HTTP_SETTINGS, type HttpSettings } from "../../core/model/http-settings.ts";
import { until } from "../world/until.ts";
import { ADDRESS, Caller, putService, type Reply } from "./balanced-service.ts";
import { listenInPod, startFromPod } from "./pod-network.ts";
import { createTrafficMesh, type LoggedConnection, type TrafficMesh } from "./traffic-mesh.ts";

const ONE = 8081;
const TWO = 8082;
const GRPC = 8083;
const START_MS = 60_000;
/** Longer than any test takes. */
const LONG_MS = 600_000;
const NO_LIMITS = DEFAULT_HTTP_SETTINGS.limits;
const RETRY = {
  attempts: 5,
  codes: [503],
  grpcCodes: [14],
  on: ["reset", "refused", "late", "connect-failure"],
  backoffMs: 1,
  maxBackoffMs: 2,
} as const;
let mesh: TrafficMesh;
const listeners: NetServer[] = [];
const open = new Set<Socket>();
const callers: Caller[] = [];
const sessions: ClientHttp2Session[] = [];
const held: ServerResponse[] = [];
/** Requests that came to a backend. */
let came = 0;
/** And to which. */
const cameTo: unknown[] = [];
/** And by which of its connections. */
const served = new Map<unknown, number>();
/** What the next request meets, and then the next; past the last one all is well. */
let plan: readonly Happening[] = [];
/** What each meets, whatever stands in the plan. */
let always: Happening | undefined;
type Happening = "503" | "cut" | "hold" | "stall" | "14" | "13";

const application: Server = createServer(answer);
const grpc = createHttp2Server();

beforeAll(async () => {
  mesh = await createTrafficMesh("wt-spared");
  grpc.on("stream", answerGrpc).on("session", (session) => session.on("error", () => undefined));
  for (const port of [ONE, TWO, GRPC]) {
    listeners.push(await listenInPod(mesh.network.b, { port, family: 4 }, serve));
  }
}, START_MS);

beforeEach(() => {
  mesh.a.ended.length = 0;
  came = 0;
  served.clear();
  cameTo.length = 0;
  plan = [];
  always = undefined;
});

afterEach(() => {
  for (const response of held.splice(0)) response.end();
  for (const caller of callers.splice(0)) caller.close();
  for (const session of sessions.splice(0)) session.destroy();
});

afterAll(async () => {
  for (const socket of open) socket.destroy();
  await Promise.all(listeners.map((server) => once(server.close(), "close")));
  await mesh[Symbol.asyncDispose]();
});

function serve(socket: Socket): void {
  open.add(socket);
  socket.on("error", () => undefined).once("close", () => open.delete(socket));
  (socket.localPort === GRPC ? grpc : application).emit("connection", socket);
}

function happening(connection: unknown): Happening | undefined {
  const next = always ?? plan[came];
  came += 1;
  served.set(connection, (served.get(connection) ?? 0) + 1);
  return next;
}

function answer(request: IncomingMessage, response: ServerResponse): void {
  request.resume();
  cameTo.push(request.socket.localPort);
  switch (happening(request.socket)) {
    case "cut":
      request.socket.destroy();
      return;
    case "hold":
      held.push(response);
      return;
    case "stall":
      response.write("some");
      return;
    case "503":
      response.writeHead(503).end("not now");
      return;
    case "13":
    case "14":
    case undefined:
      response.end("well");
  }
}

/** "14" as the whole answer, "13" behind a message. */
function answerGrpc(stream: ServerHttp2Stream, head: IncomingHttpHeaders): void {
  stream.on("error", () => undefined);
  const now = happening(stream.session);
  const fields = { ":status": 200, "content-type": head["content-type"] ?? "" };
  if (now === "14") stream.respond({ ...fields, "grpc-status": "14" }, { endStream: true });
  else {
    stream.respond(fields, { waitForTrailers: true });
    stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": now ?? "0" }));
    stream.end("message");
  }
}

/** A Service of a name of its own, of which nothing is known yet. */
function put(name: string, http: Partial<HttpSettings>, ports: readonly number[] = [ONE]): void {
  const isGrpc = ports.includes(GRPC);
  const traffic = { http: { ...DEFAULT_HTTP_SETTINGS, ...http } };
  putService(mesh, { name, ports, version: isGrpc ? "http2" : "http1", traffic });
}

function call(sockets = 1): Caller {
  const caller = new Caller(mesh, sockets);
  callers.push(caller);
  return caller;
}

/** Its status and why. */
function told({ status, headers }: Reply): readonly [number, unknown] {
  return [status, headers["x-weft-reason"]];
}

async function requests(count: number): Promise<readonly LoggedConnection[]> {
  return until(`${count} requests in the log`, () => {
    const lines = mesh.a.ended.filter(({ facts }) => facts.request);
    return lines.length >= count ? lines : undefined;
  });
}

/** Of the Service, at the caller's node. */
async function events(service: string): Promise<Readonly<Record<string, number>>> {
  const name = "weft_http_resilience_events_total";
  const line = new RegExp(`^${name}\\{service="shop/${service}",event="(\\w+)"\\} (\\d+)$`, "gm");
  const text = await mesh.a.metrics();
  return Object.fromEntries(
    [...text.matchAll(line)].map(([, event, count]) => [event, Number(count)]),
  );
}

async function callGrpc(session: ClientHttp2Session): Promise<string | undefined> {
  const fields = { ":method": "POST", "content-type": "application/grpc", te: "trailers" };
  const stream = session.request({ ...fields, ":path": "/shop.Cart/Get" });
  let status: unknown;
  stream.on("response", (head) => {
    status ??= head["grpc-status"];
  });
  stream.on("trailers", (head) => {
    status ??= head["grpc-status"];
  });
  stream
    .on("error", () => undefined)
    .resume()
    .end("question");
  await once(stream, "close");
  return typeof status === "string" ? status : undefined;
}

function openSession(): ClientHttp2Session {
  const socket = startFromPod(mesh.network.a, ADDRESS, 80);
  const session = connect("http://api.shop", { createConnection: () => socket });
  session.on("error", () => undefined);
  sessions.push(session);
  return session;
}

const STORMS = [
  ["answers 503 to everything", "503", 503, undefined],
  ["cuts every connection", "cut", 503, "upstream_reset"],
] as const;

for (const [what, now, status, reason] of STORMS) {
  test(`a backend that ${what} gets a fifth more than its callers ask, and no request more`, async () => {
    const retryBudget = { percent: 20, intervalMs: LONG_MS, minRetries: 0 };
    put(`storm-${now}`, { retry: RETRY, retryBudget });
    always = now;
    const caller = call(4);
    for (let i = 0; i < 100; i += 4) {
      const four = await Promise.all([0, 1, 2, 3].map(() => caller.get("/")));
      expect(four.map(told)).toEqual([0, 1, 2, 3].map(() => [status, reason]));
    }
    // As many as may: the budget is not merely shut.
    expect(came).toBe(120);
    const counted = await events(`storm-${now}`);
    expect(counted).toMatchObject({ retry: 20 });
    expect(counted).toHaveProperty("retry_budget_exhausted");
  });
}

test("a backend of gRPC that is UNAVAILABLE gets a fifth more, and one retry saves a call", async () => {
  const retryBudget = { percent: 20, intervalMs: LONG_MS, minRetries: 0 };
  put("storm-grpc", { retry: RETRY, retryBudget }, [GRPC]);
  const session = openSession();
  for (let i = 0; i < 4; i += 1) expect(await callGrpc(session)).toBe("0");
  came = 0;
  plan = ["14"];
  expect(await callGrpc(session)).toBe("0");
  expect(came).toBe(2);
  // A status that no rule names, and one behind a message.
  plan = ["13", "13", "13"];
  expect(await callGrpc(session)).toBe("13");
  came = 0;
  always = "14";
  for (let i = 0; i < 94; i += 1) expect(await callGrpc(session)).toBe("14");
  expect(came).toBe(94 + 19);
});

test("a route without a retry has the policy's: its failures are saved, none that may not be done twice", async () => {
  put("saved", { retry: RETRY });
  const caller = call();
  plan = ["503", "cut", "503"];
  expect(told(await caller.get("/"))).toEqual([200, undefined]);
  expect(came).toBe(4);
  came = 0;
  plan = ["503"];
  expect(told(await caller.send("/", "once"))).toEqual([503, undefined]);
  came = 0;
  plan = ["cut"];
  expect(told(await caller.send("/", "once"))).toEqual([503, "upstream_reset"]);
  expect(came).toBe(1);
});

test("a circuit opens with so many failures in a row, keeps all requests away, and closes once they go well", async () => {
  const shut = { consecutiveFailures: 3, openMs: LONG_MS, maxOpenMs: LONG_MS, halfOpenRequests: 1 };
  put("circuit", { breaker: shut });
  const caller = call();
  plan = ["503", "503", "hold"];
  for (let i = 0; i < 2; i += 1) expect(told(await caller.get("/"))).toEqual([503, undefined]);
  const hanging = caller.get("/");
  await until("it to be there", () => held.length > 0 || undefined);
  held.pop()?.writeHead(500).end();
  expect(told(await hanging)).toEqual([500, undefined]);
  for (let i = 0; i < 5; i += 1) expect(told(await caller.get("/"))).toEqual([503, "circuit_open"]);
  expect(came).toBe(3);
  const lines = await requests(8);
  expect(lines.at(-1)?.outcome.code).toBe("circuit_open");
  expect(await events("circuit")).toEqual({ circuit_opened: 1 });

  put("circuit-short", { breaker: { ...shut, openMs: 1, maxOpenMs: 1 } });
  came = 0;
  plan = ["503", "503", "503", "503"];
  let replies: readonly (readonly [number, unknown])[] = [];
  await until("all to be well again", async () => {
    const reply = told(await caller.get("/"));
    replies = [...replies, reply];
    return reply[0] === 200 || undefined;
  });
  expect(replies.slice(0, 3)).toEqual([0, 1, 2].map(() => [503, undefined]));
  // The one that might try failed, too.
  expect(await events("circuit-short")).toEqual({ circuit_opened: 2 });
  expect(told(await caller.get("/"))).toEqual([200, undefined]);
});

test("no more requests than may are under way to a Service; others wait, and no more of them than may", async () => {
  const limits = { ...NO_LIMITS, maxRequests: 2, maxPending: 1, pendingTimeoutMs: LONG_MS };
  put("limited", { limits });
  always = "hold";
  const caller = call(5);
  const first = [caller.get("/"), caller.get("/")];
  await until("two to be there", () => held.length === 2 || undefined);
  const rest = [caller.get("/"), caller.get("/")];
  const refused = await Promise.race(rest);
  expect(told(refused)).toEqual([503, "requests_exhausted"]);
  expect(came).toBe(2);
  held.shift()?.end();
  await until("the third to be there", () => came === 3 || undefined);
  for (const response of held.splice(0)) response.end();
  const all = await Promise.all([...first, ...rest]);
  expect(all.filter(({ status }) => status === 200)).toHaveLength(3);

  put("limited", { limits: { ...limits, pendingTimeoutMs: 20 } });
  const again = [caller.get("/"), caller.get("/")];
  await until("two to be there", () => held.length === 2 || undefined);
  expect(told(await caller.get("/"))).toEqual([503, "requests_pending_timeout"]);
  for (const response of held.splice(0)) response.end();
  await Promise.all(again);
});

test("no more requests than may are under way to an endpoint, and a full one is passed over", async () => {
  const limits = { ...NO_LIMITS, maxRequestsPerEndpoint: 1 };
  put("narrow", { limits }, [ONE, TWO]);
  always = "hold";
  const caller = call(3);
  const first = [caller.get("/"), caller.get("/")];
  await until("two to be there", () => held.length === 2 || undefined);
  const ports = held.map(({ req }) => req.socket.localPort);
  expect(new Set(ports)).toEqual(new Set([ONE, TWO]));
  expect(told(await caller.get("/"))).toEqual([503, "endpoint_requests_exhausted"]);
  for (const response of held.splice(0)) response.end();
  await Promise.all(first);
  always = undefined;
  expect((await caller.get("/")).status).toBe(200);
});

test("faults: an abort never comes to the backend, a delayed request does, each by its chance", async () => {
  const abort = { partsPerMillion: 1_000_000, status: 418, grpcStatus: 9 };
  const delay = { partsPerMillion: 1_000_000, delayMs: 5 };
  put("aborted", { fault: { delay: undefined, abort } });
  const caller = call();
  expect(told(await caller.get("/"))).toEqual([418, "fault_injected"]);
  put("both", { fault: { delay, abort } });
  expect(told(await caller.get("/"))).toEqual([418, "fault_injected"]);
  expect(came).toBe(0);
  put("delayed", { fault: { delay, abort: { ...abort, partsPerMillion: 0 } } });
  expect(told(await caller.get("/"))).toEqual([200, undefined]);
  expect(await events("both")).toEqual({ fault_delayed: 1, fault_aborted: 1 });
  expect(await events("delayed")).toEqual({ fault_delayed: 1 });
  expect(caller.opened).toHaveLength(1);
  put("grpc-aborted", { fault: { delay, abort } }, [GRPC]);
  expect(await callGrpc(openSession())).toBe("9");
  expect(came).toBe(1);
});

test("a policy's times hold where the route says none: of a request, of a try, and of standing still", async () => {
  const caller = call();
  plan = ["hold"];
  put("late", { requestTimeoutMs: 50 });
  expect(told(await caller.get("/"))).toEqual([504, "request_timeout"]);
  put("tries", { tryTimeoutMs: 1_000, retry: RETRY });
  came = 0;
  expect(told(await caller.get("/"))).toEqual([200, undefined]);
  // Where the machine is slow, another may be late.
  expect(came).toBeGreaterThan(1);
  put("idle", { idleTimeoutMs: 100 });
  came = 0;
  expect(told(await caller.get("/"))).toEqual([504, "request_idle_timeout"]);
  came = 0;
  plan = ["stall"];
  const socket = startFromPod(mesh.network.a, ADDRESS, 80);
  socket.on("error", () => undefined).resume();
  const ended = new Promise((resolve) => socket.once("close", resolve));
  socket.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  await ended;
  const lines = await requests(4);
  expect(lines.map(({ outcome }) => outcome.code)).toEqual([
    "request_timeout",
    "",
    "request_idle_timeout",
    "request_idle_timeout",
  ]);
});

test("a connection carries as many requests as may be, and the next goes by a new one", async () => {
  const limits = { ...NO_LIMITS, maxRequestsPerConnection: 3 };
  put("worn", { limits });
  const caller = call();
  for (let i = 0; i < 7; i += 1) expect(told(await caller.get("/"))).toEqual([200, undefined]);
  expect([...served.values()]).toEqual([3, 3, 1]);
  expect(caller.opened).toHaveLength(1);

  served.clear();
  put("worn-grpc", { limits }, [GRPC]);
  const session = openSession();
  for (let i = 0; i < 7; i += 1) expect(await callGrpc(session)).toBe("0");
  expect([...served.values()]).toEqual([3, 3, 1]);
  served.clear();
  // What goes by one connection at once ends in order.
  const all = await Promise.all(Array.from({ length: 20 }, () => callGrpc(session)));
  expect(new Set(all)).toEqual(new Set(["0"]));
  const counts = [...served.values()];
  expect(counts.reduce((sum, count) => sum + count, 0)).toBe(20);
  expect(Math.max(...counts)).toBeLessThanOrEqual(3);
  expect(session.closed).toBe(false);
});

const HEDGE = { delayMs: 20, attempts: 1 };

test("a request without an answer goes to another endpoint, too: the first answer wins, the other is cancelled", async () => {
  const retryBudget = { percent: 0, intervalMs: LONG_MS, minRetries: 1 };
  put("hedged", { hedge: HEDGE, retryBudget }, [ONE, TWO]);
  const caller = call();
  plan = ["hold"];
  expect(told(await caller.get("/"))).toEqual([200, undefined]);
  expect(new Set(cameTo)).toEqual(new Set([ONE, TWO]));
  expect(came).toBe(2);
  await until("nobody to wait for the other", () => held[0]?.destroyed || undefined);
  const [line] = await requests(1);
  expect(line?.facts.upstreamAddress).toBe(`${mesh.network.b.v4}:${String(cameTo[1])}`);
  expect(await events("hedged")).toEqual({ hedge: 1 });

  // That was all of the budget.
  came = 0;
  const slow = caller.get("/");
  await until("it to be there, and no more", async () => {
    const { retry_budget_exhausted: refused } = await events("hedged");
    return (came === 1 && refused === 1) || undefined;
  });
  expect(came).toBe(1);
  held.pop()?.end("late");
  expect((await slow).body).toBe("late");
  expect(await requests(2)).toHaveLength(2);
  expect(caller.opened).toHaveLength(1);
});

test("an endpoint that fails fast does not win over one that is slow", async () => {
  put("hedged-badly", { hedge: HEDGE }, [ONE, TWO]);
  plan = ["hold", "503"];
  const reply = call().get("/");
  await until("both to be there", () => came === 2 || undefined);
  held.pop()?.end("late");
  expect(await reply).toMatchObject({ status: 200, body: "late" });
});

test("hedged is what is safe, has somewhere else to go and no session, and within the budget", async () => {
  const retryBudget = { percent: 20, intervalMs: LONG_MS, minRetries: 0 };
  put("stormy", { hedge: HEDGE, retryBudget }, [ONE, TWO]);
  const caller = call(50);
  always = "hold";
  const all = Array.from({ length: 50 }, () => caller.get("/"));
  const { hedge = 0 } = await until("each to have been looked at", async () => {
    const counted = await events("stormy");
    const { hedge: sent = 0, retry_budget_exhausted: refused = 0 } = counted;
    return sent + refused === 50 ? counted : undefined;
  });
  expect(hedge).toBeLessThanOrEqual(10);
  await until("all to be there", () => came === 50 + hedge || undefined);
  for (const response of held.splice(0)) response.end();
  expect(new Set((await Promise.all(all)).map(({ status }) => status))).toEqual(new Set([200]));

  const requestTimeoutMs = 500;
  came = 0;
  put("unsafe", { hedge: HEDGE, requestTimeoutMs }, [ONE, TWO]);
  expect(told(await caller.send("/", "once"))).toEqual([504, "request_timeout"]);
  expect(told(await caller.get("/", { method: "DELETE" }))).toEqual([504, "request_timeout"]);
  put("lonely", { hedge: HEDGE, requestTimeoutMs });
  expect(told(await caller.get("/"))).toEqual([504, "request_timeout"]);
  // Where the machine is slow, one may have been too late to come.
  expect(came).toBeLessThanOrEqual(3);

  const session = {
    kind: "header",
    name: "x-session",
    absoluteTimeoutMs: 0,
    idleTimeoutMs: 0,
    isPermanent: false,
  } as const;
  always = undefined;
  put("faithful", { session }, [ONE, TWO]);
  const { headers } = await caller.get("/");
  const token = headers["x-session"];
  expect(typeof token).toBe("string");
  came = 0;
  always = "hold";
  put("faithful", { hedge: HEDGE, requestTimeoutMs, session }, [ONE, TWO]);
  const bound = await caller.get("/", { headers: { "x-session": token } });
  expect(told(bound)).toEqual([504, "request_timeout"]);
  expect(came).toBeLessThanOrEqual(1);
});
