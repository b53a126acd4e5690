/** Against an implementation that is not ours: node:http2 at the other end, either way round. */
import { once } from "node:events";
import {
  type ClientHttp2Session,
  connect,
  constants,
  createServer,
  type Http2Server,
  type Http2Session,
  type ServerHttp2Stream,
} from "node:http2";
import type { AddressInfo } from "node:net";
import { afterEach, expect, test } from "@jest/globals";
import fc from "fast-check";
import { startHboneClient, startHboneServer } from "../../test/fakes/hbone-pair.ts";

const servers: Http2Server[] = [];
const sessions: Http2Session[] = [];

afterEach(async () => {
  for (const session of sessions.splice(0)) session.destroy();
  for (const server of servers.splice(0)) await new Promise((resolve) => server.close(resolve));
});

const SIZES = fc.integer({ min: 0, max: 3_000_000 });

async function received(stream: AsyncIterable<Buffer>): Promise<number> {
  let bytes = 0;
  for await (const chunk of stream) bytes += chunk.length;
  return bytes;
}

test("HboneConnection: serves node:http2, bytes both ways, headers with its table and Huffman", async () => {
  const server = await startHboneServer(({ stream }) => {
    stream.answer(200, false);
    stream.resume();
  });
  const client: ClientHttp2Session = connect(`http://127.0.0.1:${server.port}`);
  await fc.assert(
    fc.asyncProperty(SIZES, SIZES, fc.string({ maxLength: 300 }), async (forth, back, extra) => {
      const stream = client.request({
        ":method": "CONNECT",
        ":authority": "10.0.0.1:80",
        baggage: encodeURIComponent(extra),
      });
      const [answer] = (await once(stream, "response")) as [Record<string, unknown>];
      expect(answer[":status"]).toBe(200);
      const owner = server.owners[0];
      const far = owner?.accepted.at(-1);
      if (!far) throw new Error("no stream");
      expect(owner?.requests.at(-1)?.authority).toBe("10.0.0.1:80");
      const arriving = received(stream);
      stream.end(Buffer.alloc(forth));
      await far.send(Buffer.alloc(back), 100_000);
      expect(await arriving).toBe(back);
      await far.until(({ isClosed }) => isClosed);
      expect([far.bytes, far.stream.endedInOrder]).toEqual([forth, true]);
    }),
    { numRuns: 15 },
  );
  client.close();
  await server.owners[0]?.until(({ error }) => error !== undefined);
  expect(server.owners[0]?.error?.code).toBe(0);
  await server.close();
});

async function startNodeServer(
  onStream: (stream: ServerHttp2Stream) => void,
): Promise<readonly [Http2Server, number]> {
  const server = createServer();
  servers.push(server);
  server.on("session", (session) => {
    session.on("error", () => undefined);
    sessions.push(session);
  });
  server.on("stream", onStream);
  await once(server.listen(0, "127.0.0.1"), "listening");
  return [server, (server.address() as AddressInfo).port];
}

test("HboneConnection: is served by node:http2, bytes both ways", async () => {
  const forths: Promise<number>[] = [];
  let back = 0;
  const [, port] = await startNodeServer((stream) => {
    stream.respond({ ":status": 200, "x-anything": "Huffman, perhaps" });
    forths.push(received(stream));
    stream.end(Buffer.alloc(back));
  });
  const { connection, open } = await startHboneClient(port);
  await fc.assert(
    fc.asyncProperty(SIZES, SIZES, async (forth, answer) => {
      back = answer;
      const near = await open().until(({ status }) => status === 200);
      near.stream.resume();
      await near.send(Buffer.alloc(forth), 100_000);
      await near.until(({ isClosed }) => isClosed);
      expect([near.bytes, near.stream.endedInOrder]).toEqual([answer, true]);
      expect(await forths.at(-1)).toBe(forth);
    }),
    { numRuns: 15 },
  );
  connection.destroy();
});

test("HboneConnection: resets and refusals of node:http2 arrive with their codes", async () => {
  const codes = [
    constants.NGHTTP2_REFUSED_STREAM,
    constants.NGHTTP2_CANCEL,
    constants.NGHTTP2_CONNECT_ERROR,
  ];
  let next = 0;
  const [, port] = await startNodeServer((stream) => {
    stream.on("error", () => undefined);
    stream.close(codes[next]);
    next += 1;
  });
  const { connection, open } = await startHboneClient(port);
  for (const code of codes) {
    const near = await open().until(({ isClosed }) => isClosed);
    expect(near.stream.resetCode).toBe(code);
  }
  connection.destroy();
});

test("HboneConnection: a goodbye of node:http2 refuses what it will not look at", async () => {
  const [server, port] = await startNodeServer((stream) => {
    stream.on("error", () => undefined);
    stream.respond({ ":status": 200 });
  });
  server.on("session", (session) => {
    session.on("stream", () => session.goaway(0, 1));
  });
  const { connection, owner, open } = await startHboneClient(port);
  const [first, second] = [open(), open()];
  await owner.until(({ goAways }) => goAways > 0);
  await second.until(({ isClosed }) => isClosed);
  expect(second.stream.resetCode).toBe(constants.NGHTTP2_REFUSED_STREAM);
  expect(first.stream.destroyed).toBe(false);
  expect(connection.isClosing).toBe(true);
  connection.destroy();
});
