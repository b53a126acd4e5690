/** A tunnel's stream on one side of a splice and a socket that takes nothing on the other: what is held, and how. */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { type HboneServer, startHboneServer } from "../../test/fakes/hbone-pair.ts";
import { type HbonePeer, startHbonePeer } from "../../test/fakes/hbone-peer.ts";
import { connectTo, FRAME, frame, headers } from "../../test/netns/raw-http2.ts";
import { permitOutbound } from "../authz/decide.ts";
import type { HboneStream } from "../hbone/stream.ts";
import { PREFACE } from "../http2/protocol.ts";
import { Splice } from "./splice.ts";

const BULK = frame([FRAME.data, 0, 1], Buffer.alloc(16_000, 1));
const OCTET = frame([FRAME.data, 0, 1], Buffer.of(2));
const OCTETS = 2_000;
const LIMIT_MS = 4_000;
let hbone: HboneServer;
let peer: HbonePeer;
let back: Socket;
let app: Socket;
let stream: HboneStream;
let splice: Splice;
let close: () => void;

beforeEach(async () => {
  const server = createServer({ pauseOnConnect: true });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const accepted = once(server, "connection") as Promise<[Socket]>;
  back = connect((server.address() as AddressInfo).port, "127.0.0.1").pause();
  [app] = await accepted;
  app.on("error", () => undefined);
  close = () => server.close();
  const asked = Promise.withResolvers<HboneStream>();
  hbone = await startHboneServer((recorded) => asked.resolve(recorded.stream));
  peer = await startHbonePeer(hbone);
  peer.socket.write(
    Buffer.concat([PREFACE, frame([FRAME.settings, 0, 0]), headers(1, connectTo("10.0.0.1:80"))]),
  );
  stream = await asked.promise;
  stream.answer(200, false);
  splice = new Splice(permitOutbound(), { front: stream, back }, { onSpliceEnd: () => undefined });
});

afterEach(async () => {
  peer.socket.destroy();
  app.destroy();
  close();
  await hbone.close();
});

async function until(isSo: () => boolean): Promise<void> {
  const deadline = performance.now() + LIMIT_MS;
  while (!isSo()) {
    if (performance.now() > deadline) throw new Error("it does not come to that");
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** Bulk until the kernel takes no more of it. Returns the octets. */
async function fillKernel(): Promise<number> {
  let sent = 0;
  while (back.writableLength === 0) {
    peer.socket.write(BULK);
    sent += 16_000;
    const asked = sent;
    await until(() => splice.bytesForth >= asked);
    await new Promise((resolve) => setImmediate(resolve));
  }
  return sent;
}

test("Splice: single octets for a socket that takes nothing wait in the stream, and arrive once it does", async () => {
  const bulk = await fillKernel();
  const before = back.writableLength;
  peer.socket.write(Buffer.concat(Array.from({ length: OCTETS }, () => OCTET)));
  await until(() => splice.bytesForth + stream.unread >= bulk + OCTETS);
  expect(back.writableLength - before).toBe(1);
  expect(stream.unread).toBeGreaterThanOrEqual(OCTETS - 1);
  let read = 0;
  let last = Buffer.alloc(0);
  app.on("data", (chunk: Buffer) => {
    read += chunk.length;
    last = Buffer.concat([last, chunk]).subarray(-OCTETS);
  });
  app.resume();
  while (read < bulk + OCTETS) await once(app, "data");
  expect(last).toEqual(Buffer.alloc(OCTETS, 2));
});

test("Splice: what a stream held counts as read once when its peer resets it", async () => {
  await fillKernel();
  peer.socket.write(Buffer.concat([OCTET, OCTET]));
  await until(() => stream.unread > 0);
  peer.socket.write(frame([FRAME.resetStream, 0, 1], Buffer.of(0, 0, 0, 8)));
  await hbone.owners[0]?.until(({ streamsClosed }) => streamsClosed === 1);
  await once(back, "close");
  expect(stream.unread).toBe(0);
});
