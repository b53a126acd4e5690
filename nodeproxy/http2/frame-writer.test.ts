import type { Socket } from "node:net";
import { Writable } from "node:stream";
import { expect, test } from "@jest/globals";
import { FrameWriter } from "./frame-writer.ts";
import type { Http2Error } from "./http2-error.ts";
import { FRAME } from "./protocol.ts";

const NO_DATA = { hasData: false, fill: (_: Buffer, at: number) => at, filled: () => undefined };

/** A socket whose peer reads one write at a time, when it is told to. */
function slowSocket(): { socket: Socket; writes: Buffer[]; read: () => void } {
  const writes: Buffer[] = [];
  let done: (() => void) | undefined;
  const socket = new Writable({
    highWaterMark: 1,
    write(chunk: Buffer, _encoding, callback) {
      writes.push(Buffer.from(chunk));
      done = callback;
    },
  });
  return { socket: socket as unknown as Socket, writes, read: () => done?.() };
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

test("FrameWriter: what one turn of the loop says is one write", async () => {
  const { socket, writes } = slowSocket();
  const writer = new FrameWriter(socket, NO_DATA, () => undefined);
  for (let i = 0; i < 10; i += 1) writer.writeNumber(FRAME.windowUpdate, i, i);
  expect(writes).toHaveLength(0);
  await nextTurn();
  expect(writes.map((write) => write.length)).toEqual([130]);
});

test("FrameWriter: while a write is under way all else waits, in order, and is the next", async () => {
  const { socket, writes, read } = slowSocket();
  const writer = new FrameWriter(socket, NO_DATA, () => undefined);
  writer.writeNumber(FRAME.resetStream, 1, 8);
  await nextTurn();
  for (let i = 0; i < 20_000; i += 1) writer.writeNumber(FRAME.resetStream, i, i);
  writer.end();
  await nextTurn();
  expect(writes).toHaveLength(1);
  while (!socket.writableFinished) {
    read();
    await nextTurn();
  }
  const all = Buffer.concat(writes.slice(1));
  expect(all.length).toBe(20_000 * 13);
  for (let i = 0; i < 20_000; i += 1) expect(all.readUInt32BE(i * 13 + 9)).toBe(i);
});

test("FrameWriter: a peer that asks without end and reads no answer is a flood, at a megabyte", async () => {
  const { socket } = slowSocket();
  const floods: Http2Error[] = [];
  const writer = new FrameWriter(socket, NO_DATA, (error) => floods.push(error));
  writer.writeNumber(FRAME.resetStream, 1, 8);
  await nextTurn();
  let frames = 0;
  for (; floods.length === 0; frames += 1) writer.writeNumber(FRAME.resetStream, 1, 8);
  expect(floods[0]).toMatchObject({ reason: "http2_flood" });
  expect(frames * 13).toBeGreaterThan(1_000_000);
  expect(frames * 13).toBeLessThan(1_100_000);
});
