/** A request that is sent a second time while it has no answer: when it is, whose answer counts, what becomes of the rest. */
import { afterEach, expect, jest, test } from "@jest/globals";
import { callRaw, Http1Proxy, type RawPeer, RawPod } from "../../test/fakes/http1-proxy.ts";
import { libc } from "../sys/libc.ts";
import { dial } from "../tcp/dial.ts";
import { Back, type BackUser, type Reaching } from "./http1-back.ts";
import type { HedgedTry, Hedging, RequestWay, TryFailure } from "./request-way.ts";

const AF_INET = 2;
const SOCK_STREAM_NONBLOCK_CLOEXEC = 1 | 0o4000 | 0o2000000;
const DELAY_MS = 100;
const GET = "GET /a HTTP/1.1\r\nHost: a\r\n\r\n";
const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n";
const UNAVAILABLE = "HTTP/1.1 503 No\r\nContent-Length: 5\r\n\r\nlater";

const closers: (() => unknown)[] = [];

afterEach(async () => {
  jest.useRealTimers();
  for (const close of closers.splice(0).reverse()) await close();
});

/** Of time only what `setTimeout` waits for is ours. */
function holdTime(): void {
  jest.useFakeTimers({
    doNotFake: ["nextTick", "queueMicrotask", "setImmediate", "setInterval", "performance", "Date"],
  });
}

interface Wish {
  readonly attempts?: number;
  readonly retries?: (failure: TryFailure) => boolean;
  readonly tryTimeoutMs?: number;
  /** Before there are no more. */
  readonly hedges?: number;
}

/** Each try to the next server; writes down what becomes of each. */
class WayOfServers implements RequestWay {
  readonly keptOctets = 1_000;
  readonly requestTimeoutMs = 0;
  readonly tryTimeoutMs: number;
  readonly hedging: Hedging;
  /** In order. */
  readonly told: string[] = [];
  readonly #ports: number[];
  readonly #wish: Wish;
  #hedges = 0;

  constructor(ports: readonly number[], wish: Wish) {
    this.#ports = [...ports];
    this.#wish = wish;
    this.tryTimeoutMs = wish.tryTimeoutMs ?? 0;
    this.hedging = {
      delayMs: DELAY_MS,
      attempts: wish.attempts ?? 1,
      begin: () => this.#hedge(),
      left: ({ kind }) => void this.told.push(`left ${kind}`),
    };
  }

  reach(user: BackUser): Reaching {
    const port = this.#ports.shift() ?? 1;
    const back = new Back(undefined);
    const fd = libc.socket(AF_INET, SOCK_STREAM_NONBLOCK_CLOEXEC, 0);
    back.dial((onDone) => dial({ fd, address: "127.0.0.1", port }, onDone), user);
    return back;
  }

  reachCarrier(): Reaching {
    throw new Error("no server here speaks HTTP/2");
  }

  again(failure: TryFailure): number | undefined {
    this.told.push(`again ${failure.kind}`);
    return this.#wish.retries?.(failure) ? 0 : undefined;
  }

  #hedge(): HedgedTry | undefined {
    const { told } = this;
    this.#hedges += 1;
    const name = `hedge ${this.#hedges}`;
    if (this.#hedges > (this.#wish.hedges ?? 10)) return undefined;
    told.push(name);
    return {
      reach: (user) => this.reach(user),
      adopt: () => void told.push(`${name} adopted`),
      end: (failure) => void told.push(`${name} ended${failure ? ` ${failure.kind}` : ""}`),
    };
  }
}

async function stage(wish: Wish = {}) {
  holdTime();
  const servers = await Promise.all([0, 1, 2].map(() => new RawPod().start()));
  const way = new WayOfServers(
    servers.map(({ port }) => port),
    wish,
  );
  const proxy = new Http1Proxy(0, { gate: (head) => proxy.pass(head, way) });
  await proxy.start();
  const client = await callRaw(proxy.port);
  closers.push(
    ...servers.map((server) => () => server.close()),
    () => proxy.close(),
    () => client.socket.destroy(),
  );
  /** Once the request is there. */
  async function asked(index: number): Promise<RawPeer> {
    const peer = await (servers[index] as RawPod).connection(0);
    await peer.until(/\r\n\r\n$/);
    return peer;
  }
  async function hedged(): Promise<readonly [RawPeer, RawPeer]> {
    const first = await asked(0);
    jest.advanceTimersByTime(DELAY_MS);
    return [first, await asked(1)];
  }
  return { servers, asked, hedged, way, proxy, client };
}

test("Http1Hedges: one without an answer is sent again in time, and not a moment before", async () => {
  const { servers, asked, way, proxy, client } = await stage();
  client.write(GET);
  const first = await asked(0);
  jest.advanceTimersByTime(DELAY_MS - 1);
  expect(way.told).toEqual([]);
  jest.advanceTimersByTime(1);
  const second = await asked(1);
  expect(second.received).toBe(first.received);
  second.write(`${OK}ok`);
  expect(await client.until(/ok$/)).toMatch(/^HTTP\/1\.1 200 /);
  // Nobody waits for the other.
  await first.untilEnd();
  expect(way.told).toEqual(["hedge 1", "hedge 1 adopted"]);
  await proxy.until(() => proxy.outcomes.length > 0);
  expect(proxy.outcomes).toMatchObject([{ code: "", status: 200, responseBytes: 2 }]);
  jest.advanceTimersByTime(10 * DELAY_MS);
  expect(servers[2]?.connections).toEqual([]);
});

test("Http1Hedges: the first may still win, with an answer that comes in pieces", async () => {
  const { hedged, way, client } = await stage();
  client.write(GET);
  const [first, second] = await hedged();
  first.write("HTTP/1.1 200 OK\r\nContent-");
  first.write("Length: 2\r\n\r\no");
  await client.until(/\r\n\r\no$/);
  await second.untilEnd();
  first.write("k");
  await client.until(/ok$/);
  expect(way.told).toEqual(["hedge 1", "hedge 1 ended"]);
});

test("Http1Hedges: a hedge's answer in pieces goes on whole, and the connection of the client lives on", async () => {
  const { hedged, asked, client } = await stage();
  client.write(GET);
  const [first, second] = await hedged();
  // That the other's answer has begun to come counts for nothing.
  first.write("HTTP/1.1 200 OK\r\nx-first: ");
  second.write("HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-");
  second.write("Encoding: chunked\r\n\r\n4\r\nsome\r\n");
  await client.until(/some\r\n$/);
  second.write("0\r\n\r\n");
  expect(await client.until(/0\r\n\r\n$/)).not.toMatch(/x-first|Early/);
  client.received = "";
  client.write(GET);
  (await asked(2)).write(`${OK}ok`);
  await client.until(/ok$/);
});

test("Http1Hedges: an answer that says that its server fails counts once nothing else is under way", async () => {
  const { hedged, way, client } = await stage();
  client.write(GET);
  const [first, second] = await hedged();
  second.write(UNAVAILABLE);
  await second.untilEnd();
  expect(client.received).toBe("");
  first.write("HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n");
  expect(await client.until(/\r\n\r\n$/)).toMatch(/^HTTP\/1\.1 500 /);
  expect(way.told).toEqual(["hedge 1", "hedge 1 ended status", "again status"]);
});

test("Http1Hedges: where the first fails it is the hedge that is waited for", async () => {
  const { hedged, way, client } = await stage();
  client.write(GET);
  const [first, second] = await hedged();
  first.socket.resetAndDestroy();
  while (way.told.length < 2) await new Promise(setImmediate);
  second.write("HTTP/1.1 404 No\r\nContent-Length: 2\r\n\r\nno");
  expect(await client.until(/no$/)).toMatch(/^HTTP\/1\.1 404 /);
  expect(way.told).toEqual(["hedge 1", "left lost", "hedge 1 adopted", "again status"]);
});

test("Http1Hedges: where all fail it may be sent again as if there had been one", async () => {
  const { hedged, asked, way, client, proxy } = await stage({ retries: () => true });
  client.write(GET);
  const [first, second] = await hedged();
  first.write(UNAVAILABLE);
  await first.untilEnd();
  second.socket.end();
  await second.untilEnd();
  jest.advanceTimersByTime(1);
  (await asked(2)).write(`${OK}ok`);
  expect(await client.until(/ok$/)).toMatch(/^HTTP\/1\.1 200 /);
  expect(way.told).toEqual(["hedge 1", "left status", "hedge 1 adopted", "again lost"]);
  await proxy.until(() => proxy.outcomes.length > 0);
  expect(proxy.outcomes).toMatchObject([{ code: "", status: 200 }]);
});

test("Http1Hedges: where all fail and none follows the last one's failure is the answer", async () => {
  const { hedged, client } = await stage();
  client.write(GET);
  const [first, second] = await hedged();
  first.socket.end();
  await first.untilEnd();
  second.socket.end();
  expect(await client.until(/upstream_reset\n$/)).toMatch(/^HTTP\/1\.1 503 /);
});

test("Http1Hedges: as many as may be, one after the other, and none where none may go", async () => {
  const { hedged, asked, way, client } = await stage({ attempts: 2 });
  client.write(GET);
  const all = [...(await hedged())];
  jest.advanceTimersByTime(DELAY_MS);
  all.push(await asked(2));
  jest.advanceTimersByTime(10 * DELAY_MS);
  all[1]?.write(`${OK}ok`);
  await client.until(/ok$/);
  await Promise.all([all[0]?.untilEnd(), all[2]?.untilEnd()]);
  expect(way.told).toEqual(["hedge 1", "hedge 2", "hedge 2 ended", "hedge 1 adopted"]);

  const none = await stage({ hedges: 0 });
  none.client.write(GET);
  const only = await none.asked(0);
  jest.advanceTimersByTime(10 * DELAY_MS);
  only.write(`${OK}ok`);
  await none.client.until(/ok$/);
  expect(none.way.told).toEqual([]);
});

test("Http1Hedges: a hedge has the time of a try, from when it is sent", async () => {
  const { hedged, way, client } = await stage({ tryTimeoutMs: 3 * DELAY_MS });
  client.write(GET);
  const [first, second] = await hedged();
  jest.advanceTimersByTime(2 * DELAY_MS);
  await first.untilEnd();
  expect(client.received).toBe("");
  jest.advanceTimersByTime(DELAY_MS);
  await second.untilEnd();
  expect(await client.until(/request_timeout\n$/)).toMatch(/^HTTP\/1\.1 504 /);
  expect(way.told).toEqual(["hedge 1", "left late", "hedge 1 adopted", "again late"]);
});

test("Http1Hedges: a request with a body goes by one connection at a time, and so does what changes the protocol", async () => {
  for (const text of [
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nsome",
    "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
  ]) {
    const { servers, way, client } = await stage();
    client.write(text);
    const peer = await (servers[0] as RawPod).connection(0);
    await peer.until(/\r\n\r\n(some)?$/);
    jest.advanceTimersByTime(10 * DELAY_MS);
    peer.write(`${OK}ok`);
    await client.until(/ok$/);
    expect(way.told).toEqual([]);
  }
});

test("Http1Hedges: nothing goes on for a client that is gone", async () => {
  const { hedged, way, proxy, client } = await stage({ attempts: 2 });
  client.write(GET);
  const [first, second] = await hedged();
  client.socket.resetAndDestroy();
  await Promise.all([first.untilEnd(), second.untilEnd()]);
  await proxy.until(() => proxy.outcomes.length > 0);
  expect(proxy.outcomes).toMatchObject([{ code: "caller_gone" }]);
  jest.advanceTimersByTime(10 * DELAY_MS);
  expect(way.told).toEqual(["hedge 1", "hedge 1 ended"]);
});
