/** What becomes of both connections: kept, closed and lost at every point of an exchange, and a side that does not keep up. */
import { afterEach, expect, test } from "@jest/globals";
import {
  callRaw,
  Http1Proxy,
  type ProxyOptions,
  type RawPeer,
  RawPod,
} from "../../test/fakes/http1-proxy.ts";
import { ReadLane } from "../flow/read-lane.ts";
import { findHandles, type KnownHandles, streamHandles } from "../tcp/handles.ts";
import type { GateAnswer } from "./message.ts";

const GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const KINDS: readonly (readonly [string, KnownHandles])[] = [
  ["raw sockets", streamHandles()],
  ["sockets of a Node whose handles are not known", findHandles("20.0.0")],
];

const closers: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function stage(options: ProxyOptions = {}) {
  const pod = await new RawPod().start();
  closers.push(() => pod.close());
  const proxy = await new Http1Proxy(pod.port, options).start();
  closers.push(() => proxy.close());
  const client = await callRaw(proxy.port);
  closers.push(() => client.socket.destroy());
  return { pod, proxy, client };
}

async function answered(client: RawPeer, back: RawPeer): Promise<void> {
  client.received = "";
  back.received = "";
  client.write(GET);
  await back.until(/\r\n\r\n/);
  back.write(OK);
  await client.until(/ok$/);
}

test("serveHttp1(): a connection to the pod serves request after request, and a new one follows the one that the pod ended", async () => {
  const { pod, client, proxy } = await stage();
  client.write(GET);
  const first = await pod.connection(0);
  await first.until(/\r\n\r\n/);
  first.write(OK);
  await client.until(/ok$/);
  await answered(client, first);
  expect(proxy.dials).toBe(1);
  first.socket.end();
  // Ended by the proxy as well: it has heard of it.
  await first.untilEnd();
  client.received = "";
  client.write(GET);
  const second = await pod.connection(1);
  await second.until(/\r\n\r\n/);
  second.write(OK);
  await client.until(/ok$/);
  expect([proxy.dials, proxy.outcomes.map(({ code }) => code)]).toEqual([2, ["", "", ""]]);
});

test("serveHttp1(): a connection that the pod will end soon, or says it ends, is not used again", async () => {
  for (const line of ["Connection: close", "Keep-Alive: timeout=1"]) {
    const { pod, client, proxy } = await stage();
    for (const i of [0, 1]) {
      client.write(GET);
      const back = await pod.connection(i);
      await back.until(/\r\n\r\n/);
      back.write(`HTTP/1.1 200 OK\r\n${line}\r\nContent-Length: ${i}\r\n\r\n${"x".repeat(i)}`);
      await client.until(new RegExp(`content-length: ${i}\r\n\r\nx{${i}}$`));
    }
    expect(proxy.dials).toBe(2);
  }
});

test("serveHttp1(): an answer that nobody asked for ends the connection to the pod, and is nobody's answer", async () => {
  const { pod, client } = await stage();
  client.write(GET);
  const first = await pod.connection(0);
  await first.until(/\r\n\r\n/);
  first.write(`${OK}HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil`);
  await client.until(/ok$/);
  await first.untilEnd();
  client.received = "";
  client.write(GET);
  const second = await pod.connection(1);
  await second.until(/\r\n\r\n/);
  second.write(OK);
  expect(await client.until(/ok$/)).toBe("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
  // And one that comes while nothing is asked.
  second.write(OK);
  await second.untilEnd();
  await answered(client, await asked(client, pod));
});

async function asked(client: RawPeer, pod: RawPod): Promise<RawPeer> {
  client.received = "";
  client.write(GET);
  const back = await pod.connection(2);
  await back.until(/\r\n\r\n/);
  back.write(OK);
  await client.until(/ok$/);
  return back;
}

test("serveHttp1(): a pod that ends before its response's head gets nothing twice, and the client is told", async () => {
  for (const [part, how] of [
    ["", "end"],
    ["", "reset"],
    ["HTTP/1.1 200 OK\r\nContent-", "end"],
  ] as const) {
    const { pod, client, proxy } = await stage();
    client.write("POST /once HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx");
    const back = await pod.connection(0);
    await back.until(/x$/);
    back.write(part);
    if (how === "end") back.socket.end();
    else back.socket.resetAndDestroy();
    const said = await client.until(/upstream_reset\n$/);
    expect(said).toMatch(/^HTTP\/1.1 503 Service Unavailable\r\n/);
    expect(said).toContain("\r\nx-weft-reason: upstream_reset\r\n");
    // The client's connection lives on, with a new one to the pod.
    client.write(GET);
    await (await pod.connection(1)).until(/\r\n\r\n/);
    expect(pod.received.match(/once/g)).toHaveLength(1);
    expect(proxy.outcomes[0]).toMatchObject({ code: "upstream_reset", status: 503 });
  }
});

test("serveHttp1(): a pod that ends within a body resets the client, so that no part is taken for the whole", async () => {
  for (const head of ["Content-Length: 10", "Transfer-Encoding: chunked"]) {
    for (const how of ["end", "reset"]) {
      const { pod, client, proxy } = await stage();
      client.write(GET);
      const back = await pod.connection(0);
      await back.until(/\r\n\r\n/);
      const body = head.startsWith("C") ? "part" : "4\r\npart\r\n";
      back.write(`HTTP/1.1 200 OK\r\n${head}\r\n\r\n${body}`);
      await client.until(/part/);
      if (how === "end") back.socket.end();
      else back.socket.resetAndDestroy();
      await client.untilEnd();
      expect([client.end, client.received.endsWith("0\r\n\r\n")]).toEqual(["reset", false]);
      expect(proxy.outcomes[0]).toMatchObject({ code: "upstream_reset", status: 200 });
    }
  }
});

test("serveHttp1(): a body that ends with a reset connection is no whole body", async () => {
  const { pod, client } = await stage();
  client.write(GET);
  const back = await pod.connection(0);
  await back.until(/\r\n\r\n/);
  back.write("HTTP/1.1 200 OK\r\n\r\npart");
  await client.until(/part/);
  back.socket.resetAndDestroy();
  await client.untilEnd();
  expect([client.end, client.received.includes("0\r\n\r\n")]).toEqual(["reset", false]);
});

test("serveHttp1(): a response that is none is 502, and its connection is not used again", async () => {
  for (const answer of [
    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
    "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    "HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n",
    "HTTP/1.1 200 OK\nX: a\n\n",
    "HTTP/1.1 20 OK\r\n\r\n",
    "HTTP/2.0 200 OK\r\n\r\n",
    `HTTP/1.1 200 OK\r\nX: ${"a".repeat(70_000)}\r\n\r\n`,
    "SSH-2.0-OpenSSH_9.9\r\n",
  ]) {
    const { pod, client, proxy } = await stage();
    client.write(GET);
    const back = await pod.connection(0);
    await back.until(/\r\n\r\n/);
    back.write(answer);
    await client.until(/upstream_response_invalid\n$/);
    await back.untilEnd();
    expect(client.received).toMatch(/^HTTP\/1.1 502 Bad Gateway\r\n/);
    client.write(GET);
    await pod.connection(1);
    expect(proxy.dials).toBe(2);
  }
});

test("serveHttp1(): a pod where nobody listens is 503, with why", async () => {
  const pod = await new RawPod().start();
  const { port } = pod;
  await pod.close();
  const proxy = await new Http1Proxy(port, {}).start();
  closers.push(() => proxy.close());
  const client = await callRaw(proxy.port);
  closers.push(() => client.socket.destroy());
  client.write(GET);
  expect(await client.until(/connect_refused\n$/)).toMatch(/^HTTP\/1.1 503 /);
  client.write("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n12345");
  await client.until(/connection: close\r\n\r\nconnect_refused\n$/);
  await client.untilEnd();
  expect(client.end).toBe("ended");
});

test("serveHttp1(): a client that goes resets what it had under way, and nothing else", async () => {
  const { pod, client, proxy } = await stage();
  client.write("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n123");
  const back = await pod.connection(0);
  await back.until(/123$/);
  client.socket.resetAndDestroy();
  await back.untilEnd();
  expect(back.end).toBe("reset");
  await proxy.until(() => proxy.outcomes.length === 1);
  expect(proxy.outcomes[0]).toMatchObject({ code: "caller_gone", status: 0, requestBytes: 3 });
});

test("serveHttp1(): a client that ends its half still gets its response, unless its request is cut short", async () => {
  const { pod, client } = await stage();
  client.socket.end(GET);
  const back = await pod.connection(0);
  await back.until(/\r\n\r\n/);
  back.write(OK);
  expect(await client.untilEnd()).toBe(
    "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok",
  );
  const cut = await stage();
  cut.client.socket.end("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n123");
  expect(await cut.client.untilEnd()).toContain("x-weft-reason: request_truncated");
  const early = await stage();
  early.client.socket.end("POST / HTTP/1.1\r\nHo");
  expect(await early.client.untilEnd()).toContain("x-weft-reason: head_truncated");
  const nothing = await stage();
  nothing.client.socket.end();
  expect([await nothing.client.untilEnd(), nothing.client.end]).toEqual(["", "ended"]);
});

test.each(["", "Content-Length: 0\r\n"])(
  "serveHttp1(): a request without octets behind its head (%j) is whole, though its client ends its half before the pod is connected",
  async (length) => {
    const { pod, client, proxy } = await stage();
    client.socket.end(`POST / HTTP/1.1\r\nHost: a\r\n${length}\r\n`);
    const back = await pod.connection(0);
    await back.until(/\r\n\r\n/);
    back.write(OK);
    expect(await client.untilEnd()).toMatch(/^HTTP\/1\.1 200 [^]*ok$/);
    expect(proxy.outcomes.map(({ code }) => code)).toEqual([""]);
  },
);

test("serveHttp1(): a no that comes while the body is still sent reaches the client, and its connection ends", async () => {
  const { pod, client, proxy } = await stage();
  client.write("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n");
  client.write("x".repeat(300_000));
  const back = await pod.connection(0);
  await back.until(/x{100}/);
  back.write("HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nno!");
  await client.until(/no!$/);
  client.write("x".repeat(300_000));
  const said = await client.untilEnd();
  expect(said).toContain("connection: close\r\n");
  expect([client.end, proxy.outcomes[0]?.status]).toEqual(["ended", 413]);
  await back.untilEnd();
});

test("serveHttp1(): a refusal is the gate's own words, and a small body goes by while a large one ends the connection", async () => {
  const refusal: GateAnswer = {
    kind: "refuse",
    status: 403,
    reason: "denied_by_policy",
    body: "RBAC: access denied",
    fields: ["x-denial", "d1"],
  };
  const { pod, client, proxy } = await stage({ gate: async () => refusal });
  client.write(
    "POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n12345HEAD /2 HTTP/1.1\r\nHost: a\r\n\r\n",
  );
  const said = await client.until(/403[^]*403[^]*\r\n\r\n$/);
  expect(said).toMatch(
    /^HTTP\/1.1 403 Forbidden\r\nx-denial: d1\r\ncontent-type: text\/plain\r\ndate: [^\r]+\r\nx-weft-reason: denied_by_policy\r\ncontent-length: 19\r\n\r\nRBAC: access deniedHTTP\/1.1 403 /,
  );
  client.received = "";
  client.write("POST /3 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
  expect(await client.untilEnd()).toContain("connection: close\r\n");
  expect([proxy.asked.length, proxy.dials, pod.received]).toEqual([3, 0, ""]);
});

test("serveHttp1(): who goes before the gate has answered is told of to it, and nothing is dialled", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const { client, proxy } = await stage({
    gate: async (head) => {
      await promise;
      return proxy.pass(head);
    },
  });
  client.write(GET);
  await proxy.until(() => proxy.asked.length === 1);
  client.socket.resetAndDestroy();
  await proxy.until(() => proxy.ended === 1);
  resolve();
  await proxy.until(() => proxy.outcomes.length === 1);
  expect([proxy.outcomes[0]?.code, proxy.dials]).toEqual(["caller_gone", 0]);
});

test("serveHttp1(): a change of policy ends an exchange that it forbids, abruptly on both sides", async () => {
  const { pod, client, proxy } = await stage();
  client.write(GET);
  const back = await pod.connection(0);
  await back.until(/\r\n\r\n/);
  back.write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\npart");
  await client.until(/part$/);
  for (const end of proxy.held) end();
  await Promise.all([client.untilEnd(), back.untilEnd()]);
  expect([client.end, back.end, proxy.outcomes.map(({ code }) => code)]).toEqual([
    "reset",
    "reset",
    ["cut"],
  ]);
});

test("drain(): what runs gets its response and is told that it is the last; what idles is ended", async () => {
  const { pod, client, proxy } = await stage();
  const idle = await callRaw(proxy.port);
  closers.push(() => idle.socket.destroy());
  client.write(GET);
  const back = await pod.connection(0);
  await back.until(/\r\n\r\n/);
  await proxy.until(() => proxy.servings.length === 2);
  for (const serving of proxy.servings) serving.drain();
  expect(await idle.untilEnd()).toBe("");
  back.write(OK);
  expect(await client.untilEnd()).toBe(
    "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok",
  );
  expect([idle.end, client.end]).toEqual(["ended", "ended"]);
});

test("serveHttp1(): a head that does not come to its end in time is 408, and a client that says nothing is ended", async () => {
  const { client, proxy } = await stage({ limits: { headTimeoutMs: 50 } });
  const silent = await callRaw(proxy.port);
  closers.push(() => silent.socket.destroy());
  client.write("GET / HTTP/1.1\r\nHost:");
  expect(await client.untilEnd()).toMatch(/^HTTP\/1.1 408 [^]*x-weft-reason: head_timeout\r\n/);
  expect(await silent.untilEnd()).toBe("");
  expect(proxy.refused).toEqual(["head_timeout"]);
});

/** Of a pod that is so busy that every other read is late. */
class BusyLane extends ReadLane {
  #reads = 0;

  override admit(octets: number): boolean {
    this.#reads += 1;
    return this.#reads % 2 === 0 && super.admit(octets);
  }
}

const BULK = 64 << 20;

test.each(KINDS)(
  "serveHttp1() with %s: a client that does not read stops the pod, and gets all of it later",
  async (_, handles) => {
    const { pod, client, proxy } = await stage({ handles, lane: new BusyLane() });
    client.socket.pause();
    client.write(GET);
    const back = await pod.connection(0);
    await back.until(/\r\n\r\n/);
    back.write(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${BULK.toString(16)}\r\n`);
    back.socket.end(Buffer.concat([Buffer.alloc(BULK, "bulk"), Buffer.from("\r\n0\r\n\r\n")]));
    const other = await callRaw(proxy.port);
    closers.push(() => other.socket.destroy());
    // As many turns of the loop as would carry all of it, were it not held back.
    other.write(GET);
    const second = await pod.connection(1);
    await second.until(/\r\n\r\n/);
    second.write(OK);
    await other.until(/ok$/);
    for (let i = 0; i < 500; i += 1) await answered(other, second);
    expect(proxy.servings[0]?.bytes).toBeLessThan(BULK);
    let octets = 0;
    let tail = "";
    const { promise: all, resolve } = Promise.withResolvers<void>();
    client.socket.removeAllListeners("data");
    client.socket.on("data", (chunk: Buffer) => {
      octets += chunk.length;
      tail = (tail + chunk.toString("latin1", Math.max(0, chunk.length - 7))).slice(-7);
      if (tail === "\r\n0\r\n\r\n") resolve();
    });
    client.socket.resume();
    await all;
    expect(octets).toBeGreaterThan(BULK);
    expect(proxy.outcomes.some(({ responseBytes }) => responseBytes === BULK)).toBe(true);
  },
);

test.each(KINDS)(
  "serveHttp1() with %s: a pod that does not read stops the client, and gets all of it later",
  async (_, handles) => {
    const { pod, client, proxy } = await stage({ handles, lane: new BusyLane() });
    client.write(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${BULK}\r\n\r\n`);
    const back = await pod.connection(0);
    await back.until(/\r\n\r\n/);
    back.socket.pause();
    back.socket.removeAllListeners("data");
    client.socket.write(Buffer.alloc(BULK, "bulk"));
    const other = await callRaw(proxy.port);
    closers.push(() => other.socket.destroy());
    other.write(GET);
    const second = await pod.connection(1);
    await second.until(/\r\n\r\n/);
    second.write(OK);
    await other.until(/ok$/);
    for (let i = 0; i < 500; i += 1) await answered(other, second);
    expect(proxy.servings[0]?.bytes).toBeLessThan(BULK);
    let octets = 0;
    back.socket.on("data", (chunk: Buffer) => {
      octets += chunk.length;
      if (octets === BULK) back.write(OK);
    });
    back.socket.resume();
    await client.until(/ok$/);
    expect(octets).toBe(BULK);
  },
);
