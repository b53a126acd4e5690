/**
 * The application under the mesh in the cluster tests, run in the weft image by command override:
 *   http PORT         answers {"from": caller's address, "pod": own name}
 *   server-first PORT TCP: sends "hello POD FROM\n" at once, then gives every byte back
 *   grpc PORT         grpc.health.v1.Health/Check: serving, whatever service is asked for
 *   call URL          asks once, prints the answer as JSON, ends with 1 where refused
 *   talk HOST PORT    its standard input to the server, what comes back to its standard output
 *   load PORT URL [N] asks URL all the time, on new connections and on a kept one; the tally so far is what it
 *                     answers on PORT. With N so many times a second, on kept connections that are renewed
 *                     after 100 requests each, as those of a well-behaved client are
 *   probe HOST:PORT... opens connections to each server-first all the time, and keeps one open while it may: prints
 *                     {"target", "way": "new" | "kept", "isOpen", "atMs"} at each change
 * It knows nothing of the mesh.
 */
import { Agent, createServer as createHttpServer, get } from "node:http";
import { createServer as createHttp2Server, type ServerHttp2Stream } from "node:http2";
import { connect, createServer, type Socket } from "node:net";
import { hostname } from "node:os";

const [, , role = "", target = "", second = "", third = ""] = process.argv;
/** Between two requests of one lane: those on new connections are one lane, each kept connection is one. */
const LANE_MS = 20;
const REQUESTS_A_CONNECTION = 100;
/** After SIGTERM it goes on serving: callers learn later than the pod that it ends, as Kubernetes documents. */
const LINGER_MS = 1_000;
/** Longer than any outage that is to be seen as a failure. */
const PATIENCE_MS = 30_000;

function print(line: object): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

function serveHttp(port: number): void {
  const server = createHttpServer((request, response) => {
    const from = request.socket.remoteAddress?.replace(/^::ffff:/, "");
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify({ from, pod: hostname(), path: request.url }));
  });
  server.listen(port, () => print({ listening: port }));
  process.once("SIGTERM", () => setTimeout(() => server.close(() => process.exit(0)), LINGER_MS));
}

function serveFirst(port: number): void {
  const server = createServer((socket) => {
    socket.on("error", () => socket.destroy());
    socket.write(`hello ${hostname()} ${socket.remoteAddress?.replace(/^::ffff:/, "")}\n`);
    socket.pipe(socket);
  });
  server.listen(port, () => print({ listening: port }));
  process.once("SIGTERM", () => setTimeout(() => process.exit(0), LINGER_MS));
}

/** Framed protobuf by hand: HealthCheckResponse{status: SERVING} (grpc/health/v1/health.proto). */
function serveGrpc(port: number): void {
  const server = createHttp2Server();
  server.on("stream", (stream: ServerHttp2Stream, headers) => {
    stream.on("error", () => stream.destroy());
    const isHealth = headers[":path"] === "/grpc.health.v1.Health/Check";
    stream.respond(
      { ":status": 200, "content-type": "application/grpc" },
      { waitForTrailers: true },
    );
    stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": isHealth ? "0" : "12" }));
    stream.end(isHealth ? Buffer.from([0, 0, 0, 0, 2, 8, 1]) : undefined);
  });
  server.listen(port, () => print({ listening: port }));
  process.once("SIGTERM", () => process.exit(0));
}

function talk(host: string, port: number): void {
  const socket = connect(port, host);
  socket.on("error", (error) => process.stderr.write(`${String(error)}\n`));
  socket.on("close", () => process.exit(0));
  process.stdin.pipe(socket);
  socket.pipe(process.stdout);
}

interface Tally {
  readonly startedMs: number;
  readonly answered: { once: number; kept: number };
  readonly failed: { readonly atMs: number; readonly tookMs: number; readonly error: string }[];
  readonly pods: Record<string, number>;
}

async function load(port: number, url: string, perSecond: number | undefined): Promise<never> {
  const tally: Tally = {
    startedMs: Date.now(),
    answered: { once: 0, kept: 0 },
    failed: [],
    pods: {},
  };
  const server = createHttpServer((_request, response) => response.end(JSON.stringify(tally)));
  server.listen(port);
  process.once("SIGTERM", () => process.exit(0));
  const once = new Agent({ keepAlive: false });
  const lanes = perSecond === undefined ? 1 : Math.round((perSecond * LANE_MS) / 1000) - 1;
  const renewAfter = perSecond === undefined ? Infinity : REQUESTS_A_CONNECTION;
  const kept = Array.from({ length: lanes }, () => new Agent({ keepAlive: true, maxSockets: 1 }));
  const [done] = await Promise.all([
    keepAsking(url, { agent: once, tally, kind: "once", renewAfter }),
    ...kept.map((agent) => keepAsking(url, { agent, tally, kind: "kept", renewAfter })),
  ]);
  return done;
}

interface Lane {
  readonly agent: Agent;
  readonly tally: Tally;
  readonly kind: "once" | "kept";
  /** Requests on one kept connection. */
  readonly renewAfter: number;
}

async function keepAsking(url: string, { agent, tally, kind, renewAfter }: Lane): Promise<never> {
  for (let asked = 1; ; asked += 1) {
    const atMs = Date.now();
    try {
      const pod = await ask(url, agent, asked % renewAfter === 0);
      tally.answered[kind] += 1;
      tally.pods[pod] = (tally.pods[pod] ?? 0) + 1;
    } catch (error) {
      tally.failed.push({ atMs, tookMs: Date.now() - atMs, error: `${kind}: ${String(error)}` });
    }
    const restMs = Math.max(0, atMs + LANE_MS - Date.now());
    await new Promise((resolve) => setTimeout(resolve, restMs));
  }
}

/** Gives the name of the pod that answered. */
function ask(url: string, agent: Agent, isLast: boolean): Promise<string> {
  return new Promise((resolve, reject) => {
    const headers = isLast ? { connection: "close" } : {};
    const request = get(url, { agent, headers, timeout: PATIENCE_MS }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("error", reject);
      response.on("end", () => {
        resolve((JSON.parse(Buffer.concat(chunks).toString()) as { pod: string }).pod);
      });
    });
    request.on("timeout", () => request.destroy(new Error("timeout")));
    request.on("error", reject);
  });
}

async function call(url: string): Promise<void> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(5_000) });
    print({ status: response.status, body: await response.json() });
  } catch (error) {
    const { cause } = error as { cause?: { code?: string } };
    print({ error: cause?.code ?? String(error) });
    process.exitCode = 1;
  }
}

/** Between two new connections of one target. */
const PROBE_GAP_MS = 5;

async function probe(place: string, target: number): Promise<never> {
  const [host = "", port = ""] = place.split(":");
  let kept: Socket | undefined;
  let isOpen: boolean | undefined;
  function keep(): void {
    const socket = connect(Number(port), host);
    kept = socket;
    socket.once("data", () => print({ target, way: "kept", isOpen: true, atMs: Date.now() }));
    socket.on("error", () => undefined);
    socket.on("end", () => socket.destroy());
    socket.once("close", () => {
      kept = undefined;
      print({ target, way: "kept", isOpen: false, atMs: Date.now() });
    });
  }
  for (;;) {
    const isCarried = await isGreeted(host, Number(port));
    if (isCarried !== isOpen) print({ target, way: "new", isOpen: isCarried, atMs: Date.now() });
    isOpen = isCarried;
    if (isCarried && !kept) keep();
    await new Promise((resolve) => setTimeout(resolve, PROBE_GAP_MS));
  }
}

function isGreeted(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, host);
    socket.once("data", () => {
      // Without a reset every one of them would keep its port for a minute.
      socket.resetAndDestroy();
      resolve(true);
    });
    socket.on("error", () => resolve(false));
    socket.once("close", () => resolve(false));
    socket.once("end", () => socket.destroy());
  });
}

switch (role) {
  case "http":
    serveHttp(Number(target));
    break;
  case "server-first":
    serveFirst(Number(target));
    break;
  case "grpc":
    serveGrpc(Number(target));
    break;
  case "call":
    await call(target);
    break;
  case "talk":
    talk(target, Number(second));
    break;
  case "load":
    await load(Number(target), second, third === "" ? undefined : Number(third));
    break;
  case "probe":
    await Promise.all(process.argv.slice(3).map(probe));
    break;
  default:
    process.stderr.write(
      "http|server-first|grpc PORT, call URL, talk HOST PORT, load PORT URL [N], probe HOST:PORT...\n",
    );
    process.exitCode = 2;
}
