import { createHash } from "node:crypto";
import type { Socket } from "node:net";
import { PassThrough } from "node:stream";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { type HboneServer, startHboneServer } from "../../test/fakes/hbone-pair.ts";
import { type HbonePeer, startHbonePeer } from "../../test/fakes/hbone-peer.ts";
import { connectTo, FRAME, frame, headers } from "../../test/netns/raw-http2.ts";
import { FrameReader, type FrameSink } from "./frame-reader.ts";
import { PREFACE } from "./protocol.ts";
import type { TurnOwner } from "./turn-feed.ts";
import { TurnReader } from "./turn-reader.ts";

const GREETING = Buffer.concat([PREFACE, frame([FRAME.settings, 0, 0])]);
const CONNECT = connectTo("10.0.0.1:80");
const OCTETS = 50_000;
let server: HboneServer;
let peer: HbonePeer;

const CHUNK = Buffer.alloc(16_000);
const WORK = Buffer.alloc(100_000);

beforeEach(async () => {
  server = await startHboneServer(({ stream }) => {
    // As much as a request costs a node proxy, or more.
    createHash("sha256").update(WORK).digest();
    stream.answer(200, false);
    stream.resume();
  });
  peer = await startHbonePeer(server);
});

afterEach(async () => {
  peer.socket.destroy();
  await server.close();
});

/** As slow as a machine that does something else. */
class SlowSink implements FrameSink, TurnOwner {
  bytes = 0;

  onDataChunk(chunk: Buffer): void {
    for (let i = 0; i < 5; i += 1) createHash("sha256").update(WORK).digest();
    this.bytes += chunk.length;
  }

  onDataBegin(): void {}
  onDataEnd(): void {}
  onFrame(): void {}
  onError(): void {}
  onLost(): void {}
}

/** The most by which `count` grows in one turn of the loop, until it is `all`. */
async function mostInATurn(count: () => number, all: number): Promise<number> {
  let most = 0;
  let before = count();
  const deadline = performance.now() + 4_000;
  while (before < all) {
    if (performance.now() > deadline) throw new Error(`${before} of ${all}`);
    await new Promise((resolve) => setImmediate(resolve));
    const now = count();
    most = Math.max(most, now - before);
    before = now;
  }
  return most;
}

test("TurnReader: of a thousand requests in one write a turn of the loop takes few, and all are taken", async () => {
  const requests = Array.from({ length: 1_000 }, (_, i) => headers(2 * i + 1, CONNECT));
  peer.socket.write(Buffer.concat([GREETING, ...requests]));
  const most = await mostInATurn(() => peer.owner.accepted.length, 1_000);
  expect(most).toBeLessThan(100);
  expect(peer.owner.accepted.map(({ stream }) => stream.id)).toEqual(
    Array.from({ length: 1_000 }, (_, i) => 2 * i + 1),
  );
});

test("TurnReader: single octets are read in turns, in order, and the last of them before the end", async () => {
  peer.socket.write(Buffer.concat([GREETING, headers(1, CONNECT)]));
  await peer.owner.until(({ accepted }) => accepted.length === 1);
  const [reader] = peer.owner.accepted;
  if (!reader) throw new Error("no stream");
  const frames = Array.from({ length: OCTETS }, (_, i) =>
    frame([FRAME.data, i === OCTETS - 1 ? 1 : 0, 1], Buffer.of(i & 255)),
  );
  peer.socket.end(Buffer.concat(frames));
  expect(await mostInATurn(() => reader.bytes, OCTETS)).toBeLessThan(OCTETS / 2);
  expect(Buffer.concat(reader.chunks).every((octet, i) => octet === (i & 255))).toBe(true);
  expect(reader.hasEnded).toBe(true);
});

test("TurnReader: a turn of the loop takes a part of what a bulk transfer sends at once", async () => {
  const socket = new PassThrough();
  const sink = new SlowSink();
  new TurnReader(
    socket as unknown as Socket,
    new FrameReader(sink, { expectsPreface: false, maxFrameBytes: 1 << 18 }),
    sink,
  );
  const frames = Array.from({ length: 40 }, () => frame([FRAME.data, 0, 1], CHUNK));
  // Read within the call: not before its turn is watched.
  setImmediate(() => socket.write(Buffer.concat(frames)));
  const octets = frames.length * CHUNK.length;
  expect(await mostInATurn(() => sink.bytes, octets)).toBeLessThan(octets / 2);
});

test("TurnReader: what was left of a connection that is ended is thrown away, and its socket closes", async () => {
  const requests = Array.from({ length: 1_000 }, (_, i) => headers(2 * i + 1, CONNECT));
  peer.socket.write(Buffer.concat([GREETING, ...requests]));
  await peer.owner.until(({ accepted }) => accepted.length > 0);
  const closed = new Promise((resolve) => {
    peer.socket.once("close", resolve);
  });
  server.connections[0]?.destroy();
  await closed;
  expect(peer.owner.accepted.length).toBeLessThan(1_000);
});
