/** Every flood ends its connection, with its code; what is none does not. */
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { type HboneServer, startHboneServer } from "../../test/fakes/hbone-pair.ts";
import { endsHeard, type HbonePeer, nextOf, startHbonePeer } from "../../test/fakes/hbone-peer.ts";
import {
  connectTo,
  END_STREAM,
  FRAME,
  frame,
  headerBlock,
  headers,
} from "../../test/netns/raw-http2.ts";
import { CODE, PREFACE } from "./protocol.ts";

const GREETING = Buffer.concat([PREFACE, frame([FRAME.settings, 0, 0])]);
const CONNECT = connectTo("10.0.0.1:80");
const OPEN = headers(1, CONNECT);
let server: HboneServer;
let peer: HbonePeer;
/** The applications that are asked for take their time. */
let isSilent: boolean;

beforeEach(async () => {
  isSilent = false;
  server = await startHboneServer(({ stream }) => {
    if (isSilent) return;
    stream.answer(200, false);
    stream.resume();
  });
  peer = await startHbonePeer(server);
});

afterEach(async () => {
  peer.socket.destroy();
  await server.close();
});

function windowUpdate(stream: number, payload: Buffer): Buffer {
  return frame([FRAME.windowUpdate, 0, stream], payload);
}

/** A request that is taken back at once. */
function rapid(i: number): Buffer {
  const id = 2 * i + 1;
  return Buffer.concat([
    headers(id, CONNECT),
    frame([FRAME.resetStream, 0, id], Buffer.of(0, 0, 0, 8)),
  ]);
}

const PADDING: Buffer = Buffer.alloc(9);
const FLOODS: readonly (readonly [string, (i: number) => Buffer])[] = [
  ["PING", () => frame([FRAME.ping, 0, 0], Buffer.alloc(8))],
  ["SETTINGS", () => frame([FRAME.settings, 0, 0])],
  ["SETTINGS ACK", () => frame([FRAME.settings, 1, 0])],
  ["WINDOW_UPDATE", () => windowUpdate(0, Buffer.of(0, 0, 0, 1))],
  ["empty DATA", (i) => (i === 0 ? OPEN : frame([FRAME.data, 0, 1]))],
  [
    "DATA of padding only",
    (i) => (i === 0 ? OPEN : frame([FRAME.data, 8, 1], Buffer.concat([Buffer.of(9), PADDING]))),
  ],
  ["a header block in one frame", (i) => headers(2 * i + 1, Buffer.alloc(20_000))],
  ["PRIORITY", () => frame([FRAME.priority, 0, 1], Buffer.of(0, 0, 0, 3, 1))],
  ["unknown frames", () => frame([0xbe, 0, 0], Buffer.alloc(10))],
  ["GOAWAY", (i) => (i === 0 ? OPEN : frame([FRAME.goAway, 0, 0], Buffer.alloc(8)))],
  ["rapid resets", rapid],
  ["malformed requests", (i) => headers(2 * i + 1, headerBlock([[":method", "CONNECT"]]))],
  [
    "streams that make us reset",
    (i) => Buffer.concat([headers(2 * i + 1, CONNECT), windowUpdate(2 * i + 1, Buffer.alloc(4))]),
  ],
  [
    "empty CONTINUATION",
    (i) => (i === 0 ? frame([FRAME.headers, 0, 1], CONNECT) : frame([FRAME.continuation, 0, 1])),
  ],
  [
    "CONTINUATION",
    (i) =>
      i === 0
        ? frame([FRAME.headers, 0, 1], CONNECT)
        : frame([FRAME.continuation, 0, 1], headerBlock([["x", "v".repeat(5_000)]])),
  ],
];

for (const [what, make] of FLOODS) {
  test(`Incoming: a flood of ${what} ends the connection with ENHANCE_YOUR_CALM`, async () => {
    const { socket, heard, owner } = peer;
    isSilent = what === "rapid resets";
    socket.write(GREETING);
    const closed = nextOf(socket, "close");
    const batch = 500;
    for (let i = 0; i < 100_000 && !owner.error; i += batch) {
      const frames = Array.from({ length: batch }, (_, k) => make(i + k));
      if (!socket.write(Buffer.concat(frames))) {
        await Promise.race([nextOf(socket, "drain"), closed]);
      }
    }
    await owner.until(({ error }) => error !== undefined);
    await closed;
    expect(owner.error).toMatchObject({ reason: "http2_flood", code: CODE.enhanceYourCalm });
    expect(endsHeard(heard).at(-1)).toBe(`goaway ${CODE.enhanceYourCalm}`);
    expect(server.connections[0]?.streams.size).toBe(0);
  });
}

test("Incoming: an empty DATA that ends its stream is no flood, however many connections come and end", async () => {
  const { socket, owner } = peer;
  socket.write(GREETING);
  const count = 5_000;
  for (let i = 0; i < count; i += 100) {
    const ids = Array.from({ length: 100 }, (_, k) => 2 * (i + k) + 1);
    const frames = ids.flatMap((id) => [headers(id, CONNECT), frame([FRAME.data, END_STREAM, id])]);
    socket.write(Buffer.concat(frames));
    await owner.until(({ accepted, error }) => error !== undefined || accepted.length === i + 100);
    for (const { stream } of owner.accepted.slice(i)) stream.end();
  }
  await owner.until(({ streamsClosed, error }) => error !== undefined || streamsClosed === count);
  expect(owner.error).toBeUndefined();
});
