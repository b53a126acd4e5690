/** A request of HTTP/1 that may be sent more than once: when it is, what the next server gets, and when time is over. */
import { afterEach, expect, jest, test } from "@jest/globals";
import { callRaw, Http1Proxy, RawPod } from "../../test/fakes/http1-proxy.ts";
import { libc } from "../sys/libc.ts";
import { dial } from "../tcp/dial.ts";
import { Back, type BackUser, type Reaching } from "./http1-back.ts";
import type { ResponseHead } from "./message.ts";
import type { RequestWay, TryFailure } from "./request-way.ts";

const AF_INET = 2;
const SOCK_STREAM_NONBLOCK_CLOEXEC = 1 | 0o4000 | 0o2000000;
const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

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
  /** Which failures another try follows. */
  readonly retries?: (failure: TryFailure) => boolean;
  readonly keptOctets?: number;
  readonly requestTimeoutMs?: number;
  readonly tryTimeoutMs?: number;
  readonly idleTimeoutMs?: number;
  readonly changeResponse?: (head: ResponseHead) => ResponseHead;
}

/** To one server after the other, each try on a connection of its own. */
class WayOfPorts implements RequestWay {
  readonly keptOctets: number;
  readonly requestTimeoutMs: number;
  readonly tryTimeoutMs: number;
  readonly idleTimeoutMs: number;
  readonly changeResponse: (head: ResponseHead) => ResponseHead;
  readonly failures: TryFailure[] = [];
  /** Each time that a body was told of. */
  readonly bodies: (string | undefined)[] = [];
  readonly #ports: number[];
  readonly #retries: (failure: TryFailure) => boolean;

  constructor(ports: readonly number[], wish: Wish) {
    this.#ports = [...ports];
    this.#retries = wish.retries ?? (({ kind }) => kind === "lost");
    this.keptOctets = wish.keptOctets ?? 1_000;
    this.requestTimeoutMs = wish.requestTimeoutMs ?? 0;
    this.tryTimeoutMs = wish.tryTimeoutMs ?? 0;
    this.idleTimeoutMs = wish.idleTimeoutMs ?? 0;
    this.changeResponse = wish.changeResponse ?? ((head) => head);
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

  onWhole(body: readonly Buffer[] | undefined): void {
    this.bodies.push(body && Buffer.concat(body).toString());
  }

  again(failure: TryFailure): number | undefined {
    this.failures.push(failure);
    return this.#retries(failure) ? 0 : undefined;
  }
}

async function stage(wish: Wish = {}) {
  const first = await new RawPod().start();
  const second = await new RawPod().start();
  const way = new WayOfPorts([first.port, second.port], wish);
  const proxy = new Http1Proxy(0, { gate: (head) => proxy.pass(head, way) });
  await proxy.start();
  const client = await callRaw(proxy.port);
  closers.push(
    () => first.close(),
    () => second.close(),
    () => proxy.close(),
    () => client.socket.destroy(),
  );
  return { first, second, way, proxy, client };
}

test("Exchange: a request whose connection is lost goes once more, whole, to the next server", async () => {
  const { first, second, way, proxy, client } = await stage();
  client.write("PUT /a HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nsome");
  const lost = await first.connection(0);
  await lost.until(/some$/);
  expect(way.bodies).toEqual([]);
  lost.socket.resetAndDestroy();
  const next = await second.connection(0);
  await next.until(/some$/);
  client.write(" body");
  await next.until(/some body$/);
  next.write(OK);
  expect(await client.until(/ok$/)).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
  expect(way.failures).toEqual([{ kind: "lost" }]);
  expect(proxy.outcomes).toMatchObject([{ code: "", status: 200, requestBytes: 9 }]);
  expect(way.bodies).toEqual(["some body"]);
});

test("Exchange: chunks and trailers that went already are told again", async () => {
  const { first, second, way, client } = await stage();
  client.write("PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
  client.write("4\r\nsome\r\n5\r\n body\r\n0\r\nx-end: yes\r\n\r\n");
  const lost = await first.connection(0);
  await lost.until(/x-end: yes\r\n\r\n$/);
  lost.socket.end();
  const next = await second.connection(0);
  await next.until(/\r\n\r\n9\r\nsome body\r\n0\r\nx-end: yes\r\n\r\n$/);
  // That the request is whole is told once, however often it is sent.
  expect(way.bodies).toEqual(["some body"]);
  next.write(OK);
  expect(await client.until(/ok$/)).toMatch(/^HTTP\/1\.1 200 /);
});

test("Exchange: a body longer than what is kept is sent once", async () => {
  const { first, second, way, client } = await stage({ keptOctets: 4 });
  client.write("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nlarge");
  const lost = await first.connection(0);
  await lost.until(/large$/);
  expect(way.bodies).toEqual([undefined]);
  lost.socket.end();
  expect(await client.until(/upstream_reset\r\n/)).toMatch(/^HTTP\/1\.1 503 /);
  expect(way.failures).toEqual([]);
  expect(second.connections).toEqual([]);
});

test("Exchange: a response that calls for another try is not seen by the client", async () => {
  const { first, second, proxy, client } = await stage({
    retries: (failure) => failure.kind === "status" && failure.status === 503,
  });
  client.write(GET);
  const refusing = await first.connection(0);
  await refusing.until(/\r\n\r\n$/);
  refusing.write("HTTP/1.1 503 No\r\nContent-Length: 5\r\n\r\nlater");
  const next = await second.connection(0);
  await next.until(/\r\n\r\n$/);
  next.write("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
  expect(await client.until(/404[^]*\r\n\r\n$/)).not.toMatch(/503|later/);
  await refusing.untilEnd();
  expect(proxy.outcomes).toMatchObject([{ code: "", status: 404 }]);
});

test("Exchange: once a response has begun there is no other try", async () => {
  const { first, way, client } = await stage({ retries: ({ kind }) => kind === "lost" });
  client.write(GET);
  const back = await first.connection(0);
  await back.until(/\r\n\r\n$/);
  back.write("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nsome");
  await client.until(/some$/);
  back.socket.end();
  await client.untilEnd();
  expect(client.end).toBe("reset");
  expect(way.failures).toEqual([]);
});

test("Exchange: a request that takes too long is answered 504, and the connection lives on", async () => {
  holdTime();
  const { first, second, proxy, client } = await stage({ requestTimeoutMs: 50 });
  for (const server of [first, second]) {
    client.received = "";
    client.write(GET);
    const late = await server.connection(0);
    await late.until(/\r\n\r\n$/);
    jest.advanceTimersByTime(49);
    expect(client.received).toBe("");
    jest.advanceTimersByTime(1);
    expect(await client.until(/request_timeout\n$/)).toMatch(/^HTTP\/1\.1 504 /);
    await late.untilEnd();
  }
  expect(proxy.outcomes).toMatchObject([
    { code: "request_timeout", status: 504 },
    { code: "request_timeout", status: 504 },
  ]);
});

test("Exchange: a try that takes too long is followed by another", async () => {
  holdTime();
  const { first, second, way, client } = await stage({
    tryTimeoutMs: 500,
    retries: ({ kind }) => kind === "late",
  });
  client.write(GET);
  const late = await first.connection(0);
  await late.until(/\r\n\r\n$/);
  jest.advanceTimersByTime(500);
  await late.untilEnd();
  jest.advanceTimersByTime(1);
  const next = await second.connection(0);
  await next.until(/\r\n\r\n$/);
  next.write(OK);
  expect(await client.until(/ok$/)).toMatch(/^HTTP\/1\.1 200 /);
  expect(way.failures).toEqual([{ kind: "late" }]);
});

test("Exchange: a response under way when time is over ends abruptly", async () => {
  holdTime();
  const { first, proxy, client } = await stage({ requestTimeoutMs: 300, retries: () => false });
  client.write(GET);
  const back = await first.connection(0);
  await back.until(/\r\n\r\n$/);
  back.write("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nsome");
  await client.until(/some$/);
  jest.advanceTimersByTime(300);
  await client.untilEnd();
  expect(client.end).toBe("reset");
  expect(proxy.outcomes).toMatchObject([{ code: "request_timeout" }]);
});

test("Exchange: one in which nothing moves for long ends, one that moves now and then does not", async () => {
  holdTime();
  const { first, proxy, client } = await stage({ idleTimeoutMs: 400 });
  client.write(GET);
  const back = await first.connection(0);
  await back.until(/\r\n\r\n$/);
  jest.advanceTimersByTime(300);
  back.write("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nsome");
  await client.until(/some$/);
  jest.advanceTimersByTime(300);
  back.write("more");
  await client.until(/more$/);
  jest.advanceTimersByTime(300);
  expect(proxy.outcomes).toEqual([]);
  jest.advanceTimersByTime(200);
  await client.untilEnd();
  expect(client.end).toBe("reset");
  expect(proxy.outcomes).toMatchObject([{ code: "request_idle_timeout", status: 200 }]);
});

test("Exchange: one that nobody answers is idle, too", async () => {
  holdTime();
  const { first, client } = await stage({ idleTimeoutMs: 400 });
  client.write(GET);
  const back = await first.connection(0);
  await back.until(/\r\n\r\n$/);
  jest.advanceTimersByTime(399);
  expect(client.received).toBe("");
  jest.advanceTimersByTime(1);
  expect(await client.until(/request_idle_timeout\n$/)).toMatch(/^HTTP\/1\.1 504 /);
  await back.untilEnd();
});

test("Exchange: the way may change a response's head, never where it ends", async () => {
  const { first, client } = await stage({
    changeResponse: ({ status, fields }) => ({
      status,
      fields: [...fields, "x-added", "1", "content-length", "900"],
    }),
  });
  client.write(GET);
  const back = await first.connection(0);
  await back.until(/\r\n\r\n$/);
  back.write(OK);
  const text = await client.until(/ok$/);
  expect(text).toMatch(/\r\nx-added: 1\r\n/);
  expect(text.match(/content-length: \d+/gi)).toEqual(["content-length: 2"]);
});

test("Exchange: nothing is tried for a client that is gone", async () => {
  const { first, second, proxy, client } = await stage();
  client.write(GET);
  const back = await first.connection(0);
  await back.until(/\r\n\r\n$/);
  client.socket.resetAndDestroy();
  await back.untilEnd();
  await proxy.until(() => proxy.outcomes.length > 0);
  expect(proxy.outcomes).toMatchObject([{ code: "caller_gone" }]);
  expect(second.connections).toEqual([]);
});
