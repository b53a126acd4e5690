/**
 * The demo's applications, which know nothing of any mesh: `node shop.ts store|api|web`.
 *
 * `store` speaks first (a TCP protocol with a greeting), `api` is HTTP and asks `store` for every
 * answer, `web` calls `api` as the demo tells it to and reports what it saw.
 */
import { createServer as createHttpServer, get } from "node:http";
import { connect, createServer, type Socket } from "node:net";
import type { Ask, FromShop, Tally, ToShop } from "./shop-messages.ts";

const GREETING = "STORE 1.0 ready\n";
const API_PORT = 8080;
const STORE_PORT = 6400;
const BROKEN_STOCK = "api-1";

const [role = "", name = "", apiAddress = "", storeAddress = "", nextAddress = ""] =
  process.argv.slice(2);
process.on("disconnect", () => process.exit(0));

if (role === "store") serveStore();
if (role.startsWith("api")) serveApi();
if (role === "web") serveWeb();

function tell(message: FromShop): void {
  process.send?.(message);
}

function serveStore(): void {
  const server = createServer((socket) => {
    socket.on("error", () => socket.destroy());
    socket.write(GREETING);
    socket.on("data", (line) => socket.write(`value of ${line.toString().trim()}\n`));
  });
  server.listen(STORE_PORT, () => tell({ kind: "ready" }));
}

/** Asks nothing before the greeting has come: a proxy that waits for the client's bytes would hang here. */
function askStore(): Promise<{ greeting: string; value: string }> {
  return new Promise((resolve, reject) => {
    const socket = connect(STORE_PORT, storeAddress);
    let seen = "";
    socket.setTimeout(30_000, () => socket.destroy(new Error("store is silent")));
    socket.on("data", (bytes) => {
      const before = seen;
      seen += bytes.toString();
      if (before === "" && seen.startsWith(GREETING)) socket.write("price\n");
      const [greeting = "", value = ""] = seen.split("\n");
      if (value !== "" && seen.endsWith("\n")) {
        socket.end();
        resolve({ greeting: `${greeting}\n`, value });
      }
    });
    socket.on("error", reject);
    socket.on("close", () => reject(new Error("store closed the connection")));
  });
}

function serveApi(): void {
  const server = createHttpServer((request, response) => {
    if (request.url === "/hold") {
      response.writeHead(200, { "content-type": "text/plain" });
      response.write("holding\n");
      return;
    }
    // One of the replicas cannot do this.
    if (request.url === "/stock" && name === BROKEN_STOCK) {
      response.writeHead(503).end("out of order\n");
      return;
    }
    askStore().then(
      (answer) => response.end(JSON.stringify({ replica: name, ...answer, secret: SECRET })),
      (cause: unknown) => response.writeHead(502).end(String(cause)),
    );
  });
  server.keepAliveTimeout = 60_000;
  server.listen(API_PORT, () => tell({ kind: "ready" }));
}

const SECRET = "demo-plaintext-marker";

function serveWeb(): void {
  let load: { stop: boolean; done: Promise<Tally> } | undefined;
  process.on("message", (message: ToShop) => {
    switch (message.kind) {
      case "requests":
        void requests(message.count, message.ask).then((tally) => tell({ kind: "tally", tally }));
        break;
      case "load":
        load = startLoad(message.workers);
        break;
      case "stop_load":
        if (load) load.stop = true;
        void load?.done.then((tally) => tell({ kind: "tally", tally }));
        break;
      case "hold":
        hold();
        break;
      case "until":
        void probeUntil(message.outcome).then((atMs) => tell({ kind: "seen", atMs }));
        break;
    }
  });
  tell({ kind: "ready" });
}

async function requests(count: number, ask?: Ask): Promise<Tally> {
  const tally = emptyTally();
  for (let i = 0; i < count; i += 1) await one(tally, ask);
  return tally;
}

function startLoad(workers: number): { stop: boolean; done: Promise<Tally> } {
  const tally = emptyTally();
  async function work(): Promise<void> {
    while (!load.stop) await one(tally);
  }
  const load = { stop: false, done: Promise.resolve(tally) };
  load.done = Promise.all(Array.from({ length: workers }, work)).then(() => tally);
  return load;
}

function emptyTally(): Tally {
  return { requests: 0, failed: 0, replicas: {}, greetings: 0, errors: {}, statuses: {} };
}

async function one(tally: Tally, ask: Ask = {}): Promise<void> {
  tally.requests += 1;
  try {
    const { status, body } = await fetchOnce(ask);
    tally.statuses[status] = (tally.statuses[status] ?? 0) + 1;
    if (status !== 200) throw new Error(`status ${status}: ${body}`);
    const answer = JSON.parse(body) as { readonly replica: string; readonly greeting: string };
    tally.replicas[answer.replica] = (tally.replicas[answer.replica] ?? 0) + 1;
    if (answer.greeting === GREETING) tally.greetings += 1;
  } catch (cause) {
    tally.failed += 1;
    const text = Error.isError(cause) ? cause.message : String(cause);
    tally.errors[text] = (tally.errors[text] ?? 0) + 1;
  }
}

interface Answered {
  readonly status: number;
  readonly body: string;
}

/** One request on a connection of its own, so that each is balanced and decided anew. */
function fetchOnce({ service = "api", path = "/price", customer }: Ask): Promise<Answered> {
  return new Promise((resolve, reject) => {
    const request = get(
      `http://${service === "api" ? apiAddress : nextAddress}${path}`,
      {
        agent: false,
        timeout: 30_000,
        headers: customer === undefined ? {} : { "x-customer": customer },
      },
      (response) => {
        let body = "";
        response.setEncoding("utf8");
        response.on("data", (text: string) => {
          body += text;
        });
        response.on("error", reject);
        response.on("end", () => resolve({ status: response.statusCode ?? 0, body }));
      },
    );
    request.on("timeout", () => request.destroy(new Error("no answer in 30 s")));
    request.on("error", reject);
  });
}

function hold(): void {
  const socket: Socket = connect(80, apiAddress, () => {
    socket.write(`GET /hold HTTP/1.1\r\nHost: ${apiAddress}\r\n\r\n`);
  });
  socket.once("data", () => tell({ kind: "held" }));
  socket.on("error", () => socket.destroy());
  socket.on("close", () => tell({ kind: "hold_closed", atMs: now() }));
}

/** Connection after connection until one is answered (or refused); the moment that one was started. */
async function probeUntil(outcome: "refused" | "answered"): Promise<number> {
  const endMs = now() + 60_000;
  while (now() < endMs) {
    const startedMs = now();
    const answered = await fetchOnce({}).then(
      ({ status }) => status === 200,
      () => false,
    );
    if (answered === (outcome === "answered")) return startedMs;
  }
  return Number.NaN;
}

/** Comparable between the processes of one machine, finer than a millisecond. */
function now(): number {
  return performance.timeOrigin + performance.now();
}
