import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import fc from "fast-check";
import {
  type HboneClient,
  type HboneServer,
  type Recorded,
  startHboneClient,
  startHboneServer,
} from "../../test/fakes/hbone-pair.ts";
import { CODE } from "../http2/protocol.ts";

let server: HboneServer;
let client: HboneClient;

beforeEach(async () => {
  server = await startHboneServer(({ stream }) => stream.answer(200, false));
  client = await startHboneClient(server.port);
});

afterEach(async () => {
  client.connection.destroy();
  await server.close();
});

/** Both ends of one stream, answered. */
async function opened(): Promise<{ near: Recorded; far: Recorded }> {
  const near = await client.open().until(({ status }) => status === 200);
  const far = server.owners[0]?.accepted.find(({ stream }) => stream.id === near.stream.id);
  if (!far) throw new Error("the server knows of no stream");
  return { near, far };
}

function patterned(length: number, seed: number): Buffer {
  const bytes = Buffer.alloc(length);
  for (let i = 0; i < length; i += 1) bytes[i] = (i * 31 + (i >> 8) + seed) & 255;
  return bytes;
}

test("HboneConnection: bytes of any sizes arrive whole and in order, both ways, on many streams at once", async () => {
  const sizes = fc.array(fc.integer({ min: 0, max: 400_000 }), { minLength: 1, maxLength: 8 });
  const step = fc.integer({ min: 1_000, max: 300_000 });
  await fc.assert(
    fc.asyncProperty(sizes, step, step, async (lengths, forthStep, backStep) => {
      await Promise.all(
        lengths.map(async (length, i) => {
          const { near, far } = await opened();
          near.stream.resume();
          far.stream.resume();
          const forth = patterned(length, i);
          const back = patterned(length * 2, i + 100);
          await Promise.all([near.send(forth, forthStep), far.send(back, backStep)]);
          await Promise.all([near, far].map((one) => one.until(({ isClosed }) => isClosed)));
          expect(Buffer.concat(far.chunks).equals(forth)).toBe(true);
          expect(Buffer.concat(near.chunks).equals(back)).toBe(true);
          expect([near.stream.endedInOrder, far.stream.endedInOrder]).toEqual([true, true]);
        }),
      );
    }),
    { numRuns: 15 },
  );
});

test("end(): ends one half; the other goes on for as long as it likes", async () => {
  const { near, far } = await opened();
  near.stream.resume();
  far.stream.resume();
  near.stream.end();
  await far.until(({ hasEnded }) => hasEnded);
  expect(far.stream.destroyed).toBe(false);
  await far.send(patterned(1_000_000, 7), 50_000);
  await near.until(({ isClosed }) => isClosed);
  expect(near.bytes).toBe(1_000_000);
  expect(near.stream.endedInOrder).toBe(true);
});

test("end(): the far side's end is told only behind the bytes before it, also to a reader that stalls", async () => {
  const { near, far } = await opened();
  await near.send(patterned(50_000, 1), 50_000);
  far.stream.end();
  // All of it is at the server once it answers what was sent behind it.
  await new Promise<void>((resolve) => {
    setImmediate(() => client.connection.ping(resolve));
  });
  expect([far.bytes, far.hasEnded, far.isClosed]).toEqual([0, false, false]);
  far.stream.resume();
  await far.until(({ isClosed }) => isClosed);
  expect(Buffer.concat(far.chunks).equals(patterned(50_000, 1))).toBe(true);
  expect(far.hasEnded).toBe(true);
});

for (const [name, code] of Object.entries(CODE)) {
  test(`reset(): ${name} arrives as what it is, and is no orderly end`, async () => {
    const { near, far } = await opened();
    near.stream.reset(code);
    await far.until(({ isClosed }) => isClosed);
    expect(far.stream.resetCode).toBe(code);
    expect([far.stream.endedInOrder, far.hasEnded]).toEqual([false, false]);
    expect(near.stream.resetCode).toBe(code);
  });
}

test("resetBehindData(): a last word arrives before the reset, though a bulk transfer has the line", async () => {
  const bulk = await opened();
  bulk.far.stream.resume();
  const sending = bulk.near.send(Buffer.alloc(8 << 20), 1 << 20);
  await bulk.far.until(({ bytes }) => bytes > 0);
  const { near, far } = await opened();
  far.stream.resume();
  near.stream.write(Buffer.from("last words"));
  near.stream.resetBehindData();
  near.stream.write(Buffer.from("and never these"));
  await far.until(({ isClosed }) => isClosed);
  expect(Buffer.concat(far.chunks).toString()).toBe("last words");
  expect(far.stream.resetCode).toBe(CODE.connectError);
  expect(near.stream.resetCode).toBe(CODE.connectError);
  await sending;
});

test("resetBehindData(): does not wait for a reader that stalls", async () => {
  const { near, far } = await opened();
  near.stream.write(Buffer.alloc(1 << 20));
  near.stream.resetBehindData();
  await far.until(({ isClosed }) => isClosed);
  expect([far.bytes, near.stream.resetCode]).toEqual([0, CODE.connectError]);
});

test("resetBehindData(): a line that is lost meanwhile ends it too", async () => {
  const { near } = await opened();
  near.stream.write(Buffer.from("never sent"));
  near.stream.resetBehindData();
  client.connection.destroy();
  await near.until(({ isClosed }) => isClosed);
  expect(near.stream.endedInOrder).toBe(false);
});

test("reset(): what was on its way to a stream that was reset does not end the connection, nor its window", async () => {
  for (let i = 0; i < 60; i += 1) {
    const { near, far } = await opened();
    far.stream.resume();
    const sending = near.send(Buffer.alloc(2 << 20), 1 << 19);
    await far.until(({ bytes }) => bytes > 0);
    far.stream.reset();
    await near.until(({ isClosed }) => isClosed);
    await sending;
  }
  const { near, far } = await opened();
  far.stream.resume();
  await near.send(patterned(1_000_000, 3), 65_536);
  await far.until(({ hasEnded }) => hasEnded);
  expect(far.bytes).toBe(1_000_000);
});

test("answer(): no with its status, and the stream ends", async () => {
  server.owners[0]?.accepted.splice(0);
  await server.close();
  server = await startHboneServer(({ stream }) => stream.answer(503, true));
  client = await startHboneClient(server.port);
  const near = await client.open().until(({ status }) => status !== undefined);
  near.stream.resume();
  near.stream.end();
  await near.until(({ isClosed }) => isClosed);
  expect([near.status, near.stream.endedInOrder]).toEqual([503, true]);
});

test("pause(): a reader that stalls bounds what its peer may send, and stops no other stream", async () => {
  const stalled = await Promise.all(Array.from({ length: 99 }, () => opened()));
  const offered = Buffer.alloc(100 << 20);
  for (const { near } of stalled) void near.send(offered, 1 << 16);
  const { near, far } = await opened();
  far.stream.resume();
  await near.send(patterned(30 << 20, 5), 1 << 18);
  await far.until(({ hasEnded }) => hasEnded);
  expect(far.bytes).toBe(30 << 20);
  for (const one of stalled) expect(one.far.bytes).toBe(0);
  const held = stalled.reduce((total, one) => total + one.far.stream.unread, 0);
  expect(held).toBeLessThanOrEqual(99 * (64 << 10));
  expect(held).toBeGreaterThan(0);
});

test("write(): a bulk transfer makes a small stream wait for no more than a few quanta", async () => {
  const bulk = await opened();
  bulk.far.stream.resume();
  void bulk.near.send(Buffer.alloc(64 << 20), 1 << 20);
  await bulk.far.until(({ bytes }) => bytes > 8 << 20);
  const { near, far } = await opened();
  far.stream.resume();
  near.stream.resume();
  far.onData = (chunk) => far.stream.write(chunk) || true;
  const begun = bulk.far.bytes;
  for (let i = 1; i <= 20; i += 1) {
    near.stream.write(Buffer.of(i));
    await near.until(({ bytes }) => bytes === i);
  }
  // What is under way before each octet: two windows of the bulk at most, as far as it grows on this line.
  expect(bulk.far.bytes - begun).toBeLessThan(20 * (2 << 20));
});

test("close(): open streams go on, new ones are the next connection's, and it ends with the last", async () => {
  const { near, far } = await opened();
  near.stream.resume();
  far.stream.resume();
  server.connections[0]?.close();
  await client.owner.until(({ goAways }) => goAways > 0);
  expect(client.connection.isClosing).toBe(true);
  expect(client.connection.request("10.0.0.1:80")).toBeUndefined();
  await Promise.all([near.send(patterned(500_000, 2), 50_000), far.send(patterned(10, 1), 10)]);
  await client.owner.until(({ error }) => error !== undefined);
  expect(far.bytes).toBe(500_000);
  expect(near.stream.endedInOrder).toBe(true);
});

test("close(): of the client, ends both once nothing is open", async () => {
  const { near, far } = await opened();
  client.connection.close();
  expect(client.owner.error).toBeUndefined();
  near.stream.resume();
  far.stream.resume();
  near.stream.end();
  far.stream.end();
  await client.owner.until(({ error }) => error !== undefined);
  await server.owners[0]?.until(({ error }) => error !== undefined);
  expect(near.stream.endedInOrder).toBe(true);
});

test("close(): streams that cross the server's goodbye are served", async () => {
  await opened();
  server.connections[0]?.close();
  const crossing = client.open();
  await crossing.until(({ status }) => status === 200);
  expect(server.owners[0]?.accepted).toHaveLength(2);
});

test("destroy(): every stream of the other end is reset, none ends in order", async () => {
  const streams = await Promise.all([opened(), opened()]);
  client.connection.destroy();
  for (const { near, far } of streams) {
    await Promise.all([near, far].map((one) => one.until(({ isClosed }) => isClosed)));
    expect([near.stream.endedInOrder, far.stream.endedInOrder]).toEqual([false, false]);
  }
  expect(server.owners[0]?.error?.reason).toBe("lost");
});

test("destroy(): what a whole stream brought is still read after its connection is gone", async () => {
  const { near, far } = await opened();
  near.stream.resume();
  far.stream.end();
  await near.send(patterned(50_000, 4), 50_000);
  await near.until(({ isClosed }) => isClosed);
  client.connection.close();
  await server.owners[0]?.until(({ error }) => error !== undefined);
  far.stream.resume();
  await far.until(({ isClosed }) => isClosed);
  expect([far.bytes, far.stream.endedInOrder]).toEqual([50_000, true]);
});

test("ping(): is answered, in order", async () => {
  const order: number[] = [];
  await new Promise<void>((resolve) => {
    client.connection.ping(() => order.push(1));
    client.connection.ping(() => {
      order.push(2);
      resolve();
    });
  });
  expect(order).toEqual([1, 2]);
});

test("close(): a far side that never ends is not waited for", async () => {
  const far: Socket[] = [];
  const deaf = createServer({ allowHalfOpen: true }, (socket) => {
    far.push(socket.resume().on("error", () => undefined));
  });
  deaf.listen(0, "127.0.0.1");
  await once(deaf, "listening");
  const lone = await startHboneClient((deaf.address() as AddressInfo).port);
  // As TLS leaves its transport: without this Node itself would close it.
  lone.connection.socket.allowHalfOpen = true;
  lone.connection.close();
  await once(lone.connection.socket, "close");
  expect(lone.connection.socket.destroyed).toBe(true);
  for (const each of far) each.destroy();
  deaf.close();
});
