/** Mutated conversations, into both ends of a connection: each is served or ended with a code, and nothing is thrown. */
import type { Socket } from "node:net";
import { Duplex } from "node:stream";
import { expect, test } from "@jest/globals";
import { RecordedOwner } from "../../test/fakes/hbone-pair.ts";
import {
  connectTo,
  END_HEADERS,
  END_STREAM,
  FRAME,
  frame,
  headerBlock,
  headers,
} from "../../test/netns/raw-http2.ts";
import { sized } from "../../test/soak.ts";
import { PREFACE } from "../http2/protocol.ts";
import { HboneConnection } from "./connection.ts";

/** Conversations, each of up to 25 frames. */
const RUNS = sized(3_000, 400_000);
const CONNECT = connectTo("10.0.0.1:80");
const ANSWER = Buffer.of(0x88);
const SETTINGS = frame([FRAME.settings, 0, 0], Buffer.of(0, 4, 0, 0, 255, 255));
const PRIORITY = Buffer.of(0, 0, 0, 3, 9);
const FRAMES: readonly Buffer[] = [
  SETTINGS,
  frame([FRAME.settings, 1, 0]),
  headers(1, CONNECT),
  headers(3, CONNECT),
  headers(1, ANSWER),
  headers(1, headerBlock([[":status", "401"]])),
  frame([FRAME.headers, 0, 5], CONNECT),
  frame([FRAME.continuation, END_HEADERS, 5], headerBlock([["x", "y"]])),
  frame(
    [FRAME.headers, END_HEADERS | END_STREAM | 0x28, 7],
    Buffer.concat([Buffer.of(2), PRIORITY, CONNECT, Buffer.alloc(2)]),
  ),
  frame([FRAME.data, 0, 1], Buffer.alloc(300, "data")),
  frame([FRAME.data, 8, 1], Buffer.concat([Buffer.of(3), Buffer.alloc(20)])),
  frame([FRAME.data, END_STREAM, 1], Buffer.from("last")),
  frame([FRAME.resetStream, 0, 1], Buffer.of(0, 0, 0, 8)),
  frame([FRAME.windowUpdate, 0, 1], Buffer.of(0, 0, 255, 255)),
  frame([FRAME.windowUpdate, 0, 0], Buffer.of(0, 0, 255, 255)),
  frame([FRAME.ping, 0, 0], Buffer.alloc(8)),
  frame([FRAME.ping, 1, 0], Buffer.alloc(8)),
  frame([FRAME.goAway, 0, 0], Buffer.alloc(8)),
  frame([FRAME.priority, 0, 1], PRIORITY),
  frame([99, 0, 0], Buffer.alloc(5)),
];

let state = 4_711;

/** Marsaglia's xorshift: the same conversations in each run. */
function random(below: number): number {
  state ^= state << 13;
  state ^= state >>> 17;
  state ^= state << 5;
  return (state >>> 0) % below;
}

function conversation(): Buffer {
  const frames = Array.from({ length: 1 + random(25) }, () => FRAMES[random(FRAMES.length)]);
  const bytes = Buffer.concat([SETTINGS, ...frames.map((one) => one ?? SETTINGS)]);
  // Half of them only in their order.
  for (let i = random(8) - 4; i > 0; i -= 1) bytes[random(bytes.length)] = random(256);
  return bytes;
}

function converse(isServer: boolean): RecordedOwner {
  const socket = new Duplex({
    read: () => undefined,
    write: (_chunk, _encoding, done) => done(),
  });
  const owner = new RecordedOwner(({ stream }) => {
    stream.answer(random(4) === 0 ? 401 : 200, random(4) === 0);
    if (random(2) === 0) stream.resume();
    stream.write(Buffer.alloc(100));
    if (random(2) === 0) stream.end();
    if (random(8) === 0) stream.reset();
  });
  const connection = new HboneConnection(socket as unknown as Socket, owner, {
    isServer,
    maxStreams: 100,
  });
  if (!isServer) {
    for (let i = 0; i < 4; i += 1) connection.request("10.0.0.1:80")?.resume();
  }
  const bytes = isServer ? Buffer.concat([PREFACE, conversation()]) : conversation();
  for (let at = 0; at < bytes.length; ) {
    const end = at + 1 + random(400);
    socket.emit("data", bytes.subarray(at, end));
    at = end;
  }
  connection.destroy();
  socket.destroy();
  return owner;
}

for (const [role, isServer] of [
  ["server", true],
  ["client", false],
] as const) {
  test(
    `HboneConnection: as ${role}, whatever the peer says`,
    async () => {
      let accused = 0;
      for (let run = 0; run < RUNS; run += 1) {
        const { error } = converse(isServer);
        if (!error) throw new Error("neither served nor ended");
        if (error.reason !== "lost") accused += 1;
        if (run % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
      }
      expect(accused).toBeGreaterThan(RUNS / 10);
      expect(accused).toBeLessThan(RUNS);
    },
    sized(300_000, 7_200_000),
  );
}
