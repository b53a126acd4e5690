/**
 * Mutated conversations through the engine. Nothing crashes, each connection ends, and what a pod reads of what it gets
 * is what the gate was asked about: never a request more, never another one.
 */
import { expect, test } from "@jest/globals";
import { mutateBytes } from "../../test/fakes/byte-mutation.ts";
import { createRandom, pick } from "../../test/fakes/der-mutation.ts";
import { callRaw, Http1Proxy, type RawPeer, RawPod } from "../../test/fakes/http1-proxy.ts";
import { sized } from "../../test/soak.ts";

const RUNS = sized(400, 40_000);
/** For every change the same conversations; a soak takes others, and its name tells which. */
const SEED = sized(4_711, Math.trunc(Math.random() * 2 ** 31));

const HOST = "Host: a\r\n";
const SEEDS: readonly Buffer[] = [
  `GET /1?q HTTP/1.1\r\n${HOST}X-One: 1\r\n\r\n`,
  `POST /2 HTTP/1.1\r\n${HOST}Content-Length: 11\r\n\r\nhello world`,
  `POST /3 HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n3\r\nabc\r\n0\r\nX-T: v\r\n\r\n`,
  `GET http://a/4 HTTP/1.1\r\n${HOST}Connection: keep-alive, x-hop\r\nX-Hop: 1\r\n\r\n`,
  `PUT /5 HTTP/1.1\r\n${HOST}Expect: 100-continue\r\nContent-Length: 3\r\n\r\nabc`,
  `GET /6 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n`,
  `POST /7 HTTP/1.1\r\n${HOST}Content-Length: 35\r\n\r\nGET /evil HTTP/1.1\r\nHost: a\r\n\r\n0\r\n\r\n`,
].map((text) => Buffer.from(text, "latin1"));
const LAST = Buffer.from(`GET /last HTTP/1.1\r\n${HOST}Connection: close\r\n\r\n`);

interface Got {
  readonly line: string;
  readonly body: string;
}

/** A reader of its own, strict as a pod may be, for what the engine writes: `undefined` where it is no whole request. */
function readWritten(text: string): { readonly got: Got; readonly rest: string } | undefined {
  const [all, line = "", lines = "", rest = ""] =
    /^([A-Z-]+ \/[!-~]* HTTP\/1\.1|OPTIONS \* HTTP\/1\.1)\r\n((?:[!#-'*+.^-z|~0-9A-Z-]+: [^\r\n\0]*\r\n)*)\r\n([^]*)$/.exec(
      text,
    ) ?? [];
  if (all === undefined) return undefined;
  const [, length] = /^content-length: (\d+)\r$/m.exec(lines) ?? [];
  const isChunked = /^transfer-encoding: chunked\r$/m.test(lines);
  expect([isChunked && length !== undefined, lines.match(/^host: /gm)?.length]).toEqual([false, 1]);
  if (isChunked) return readChunks(line, rest);
  if (length === undefined) return { got: { line, body: "" }, rest };
  if (rest.length < Number(length)) return undefined;
  return { got: { line, body: rest.slice(0, Number(length)) }, rest: rest.slice(Number(length)) };
}

function readChunks(line: string, text: string): ReturnType<typeof readWritten> {
  let body = "";
  let rest = text;
  for (;;) {
    const [head, size = ""] = /^([0-9a-f]+)\r\n/.exec(rest) ?? [];
    if (head === undefined) return undefined;
    const octets = Number.parseInt(size, 16);
    if (octets === 0) break;
    if (rest.length < head.length + octets + 2) return undefined;
    body += rest.slice(head.length, head.length + octets);
    rest = rest.slice(head.length + octets + 2);
  }
  const [end] = /^0\r\n(?:[^\r\n]+\r\n)*\r\n/.exec(rest) ?? [];
  return end === undefined ? undefined : { got: { line, body }, rest: rest.slice(end.length) };
}

/** Answers each whole request that it reads. */
function answering(got: Got[]): (peer: RawPeer) => void {
  return (peer) => {
    peer.socket.on("data", () => {
      for (let read = readWritten(peer.received); read; read = readWritten(peer.received)) {
        got.push(read.got);
        peer.received = read.rest;
        peer.write("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
      }
    });
  };
}

test(`serveHttp1(): of mutated conversations (seed ${SEED}) a pod reads what the gate was asked about, and nothing else`, async () => {
  const random = createRandom(SEED);
  const got: Got[] = [];
  const pod = await new RawPod(answering(got)).start();
  const proxy = await new Http1Proxy(pod.port, {}).start();
  let whole = 0;
  for (let run = 0; run < RUNS; run += 1) {
    got.length = 0;
    proxy.asked.length = 0;
    proxy.outcomes.length = 0;
    const parts = [pick(random, SEEDS), pick(random, SEEDS)];
    const conversation = Buffer.concat([mutateBytes(random, Buffer.concat(parts), SEEDS), LAST]);
    const client = await callRaw(proxy.port);
    client.socket.end(conversation);
    await client.untilEnd();
    client.socket.destroy();
    await proxy.until(() => proxy.outcomes.length === proxy.asked.length);
    const asked = proxy.asked.map(
      ({ method, path, query }) => `${method} ${path}${query} HTTP/1.1`,
    );
    const read = got.map(({ line }) => line);
    // The last of them may have been cut short: then no pod has taken it for a whole one.
    expect(asked.slice(0, read.length)).toEqual(read);
    expect(asked.length - read.length).toBeLessThanOrEqual(1);
    expect(got.map(({ body }) => body.length)).toEqual(
      proxy.outcomes.slice(0, read.length).map(({ requestBytes }) => requestBytes),
    );
    expect(read.includes("GET /evil HTTP/1.1") && !asked.includes("GET /evil HTTP/1.1")).toBe(
      false,
    );
    if (read.length === 3) whole += 1;
    for (const { socket } of pod.connections.splice(0)) socket.destroy();
  }
  // The changes reached both sides of the border.
  expect(whole).toBeGreaterThan(RUNS / 100);
  expect(proxy.refused.length).toBeGreaterThan(RUNS / 20);
  await proxy.close();
  await pod.close();
});
