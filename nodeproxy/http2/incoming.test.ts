/** Every error of RFC 9113 that a peer can make: its code, and that nothing is left. */
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { type HboneServer, startHboneServer } from "../../test/fakes/hbone-pair.ts";
import { endsHeard, type HbonePeer, nextOf, startHbonePeer } from "../../test/fakes/hbone-peer.ts";
import {
  connectTo,
  END_HEADERS,
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
const OPEN_AND_ENDED = frame([FRAME.headers, END_HEADERS | END_STREAM, 1], CONNECT);
let server: HboneServer;
let peer: HbonePeer;

beforeEach(async () => {
  server = await startHboneServer(({ stream }) => {
    stream.answer(200, false);
    stream.resume();
  });
  peer = await startHbonePeer(server);
});

afterEach(async () => {
  peer.socket.destroy();
  await server.close();
});

const { protocolError, frameSizeError, flowControlError, streamClosed, compressionError } = CODE;
const LARGEST_WINDOW = Buffer.of(0x7f, 0xff, 0xff, 0xff);

function windowUpdate(stream: number, payload: Buffer): Buffer {
  return frame([FRAME.windowUpdate, 0, stream], payload);
}

function settings(id: number, value: number): Buffer {
  const payload = Buffer.alloc(6);
  payload.writeUInt16BE(id);
  payload.writeUInt32BE(value, 2);
  return frame([FRAME.settings, 0, 0], payload);
}

const CONNECTION_ERRORS: readonly (readonly [string, readonly Buffer[], number])[] = [
  ["DATA on stream 0", [frame([FRAME.data, 0, 0], Buffer.of(1))], protocolError],
  ["DATA on an idle stream", [frame([FRAME.data, 0, 7], Buffer.of(1))], protocolError],
  ["HEADERS on stream 0", [headers(0, CONNECT)], protocolError],
  ["HEADERS on an even stream", [headers(2, CONNECT)], protocolError],
  ["HEADERS on a lower stream", [headers(5, CONNECT), headers(3, CONNECT)], protocolError],
  ["a block that is no HPACK", [headers(1, Buffer.alloc(8, 0xff))], compressionError],
  [
    "RST_STREAM on an idle stream",
    [frame([FRAME.resetStream, 0, 1], Buffer.alloc(4))],
    protocolError,
  ],
  [
    "RST_STREAM of 3 octets",
    [OPEN, frame([FRAME.resetStream, 0, 1], Buffer.alloc(3))],
    frameSizeError,
  ],
  ["WINDOW_UPDATE on an idle stream", [windowUpdate(1, LARGEST_WINDOW)], protocolError],
  ["WINDOW_UPDATE of 3 octets", [windowUpdate(0, Buffer.alloc(3))], frameSizeError],
  ["WINDOW_UPDATE of 0", [windowUpdate(0, Buffer.alloc(4))], protocolError],
  ["a connection window beyond 2^31-1", [windowUpdate(0, LARGEST_WINDOW)], flowControlError],
  ["SETTINGS on a stream", [frame([FRAME.settings, 0, 1])], protocolError],
  ["SETTINGS of 5 octets", [frame([FRAME.settings, 0, 0], Buffer.alloc(5))], frameSizeError],
  ["an ACK with SETTINGS", [frame([FRAME.settings, 1, 0], Buffer.alloc(6))], frameSizeError],
  ["ENABLE_PUSH of 2", [settings(2, 2)], protocolError],
  ["INITIAL_WINDOW_SIZE of 2^31", [settings(4, 2 ** 31)], flowControlError],
  ["MAX_FRAME_SIZE of 100", [settings(5, 100)], protocolError],
  [
    "SETTINGS that make an open window too large",
    [OPEN, windowUpdate(1, Buffer.of(0x7f, 0xff, 0, 0)), settings(4, 0x7fff_ffff)],
    flowControlError,
  ],
  ["PING on a stream", [frame([FRAME.ping, 0, 1], Buffer.alloc(8))], protocolError],
  ["PING of 7 octets", [frame([FRAME.ping, 0, 0], Buffer.alloc(7))], frameSizeError],
  ["GOAWAY on a stream", [frame([FRAME.goAway, 0, 1], Buffer.alloc(8))], protocolError],
  ["GOAWAY of 7 octets", [frame([FRAME.goAway, 0, 0], Buffer.alloc(7))], frameSizeError],
  ["PRIORITY on stream 0", [frame([FRAME.priority, 0, 0], Buffer.alloc(5))], protocolError],
  ["PUSH_PROMISE", [OPEN, frame([5, END_HEADERS, 1], Buffer.alloc(8))], protocolError],
  [
    "CONTINUATION out of nowhere",
    [frame([FRAME.continuation, END_HEADERS, 1], CONNECT)],
    protocolError,
  ],
  [
    "CONTINUATION of another stream",
    [frame([FRAME.headers, 0, 1], CONNECT), frame([FRAME.continuation, END_HEADERS, 3])],
    protocolError,
  ],
  [
    "an unknown frame within a header block",
    [frame([FRAME.headers, 0, 1], CONNECT), frame([99, 0, 0])],
    protocolError,
  ],
  ["padding longer than DATA", [OPEN, frame([FRAME.data, 8, 1], Buffer.of(200, 1))], protocolError],
  [
    "padding longer than HEADERS",
    [frame([FRAME.headers, 12, 1], Buffer.of(200, 1))],
    protocolError,
  ],
  ["a priority cut short", [frame([FRAME.headers, 0x24, 1], Buffer.of(1))], frameSizeError],
  [
    "a PING as large as a header list",
    [frame([FRAME.ping, 0, 0], Buffer.alloc(20_000))],
    frameSizeError,
  ],
  [
    "a frame larger than announced",
    [frame([FRAME.data, 0, 1], Buffer.alloc(300_000))],
    frameSizeError,
  ],
];

for (const [what, frames, code] of CONNECTION_ERRORS) {
  test(`Incoming: ${what} ends the connection with ${code}`, async () => {
    const { socket, heard, owner } = peer;
    socket.write(Buffer.concat([GREETING, ...frames]));
    await nextOf(socket, "close");
    expect(endsHeard(heard).at(-1)).toBe(`goaway ${code}`);
    expect(owner.error).toMatchObject({ reason: "http2_protocol_error" });
  });
}

test("Incoming: what does not begin as HTTP/2 is ended", async () => {
  const { socket, owner } = peer;
  socket.write("GET / HTTP/1.1\r\nhost: x\r\n\r\n");
  await nextOf(socket, "close");
  expect(owner.error?.reason).toBe("http2_protocol_error");
});

test("Incoming: SETTINGS have to come first", async () => {
  const { socket, heard } = peer;
  socket.write(Buffer.concat([PREFACE, OPEN]));
  await nextOf(socket, "close");
  expect(endsHeard(heard)).toEqual([`goaway ${protocolError}`]);
});

const GET = headerBlock([
  [":method", "GET"],
  [":scheme", "https"],
  [":path", "/"],
  ["content-length", "3"],
]);

const STREAM_ERRORS: readonly (readonly [string, readonly Buffer[], number])[] = [
  ["a malformed request", [headers(1, headerBlock([[":method", "CONNECT"]]))], protocolError],
  [
    "more fields than a tunnel needs",
    [
      headers(
        1,
        Buffer.concat([
          CONNECT,
          ...Array.from({ length: 40 }, (_, i) => headerBlock([[`x${i}`, "v"]])),
        ]),
      ),
    ],
    CODE.enhanceYourCalm,
  ],
  [
    "a stream that depends on itself",
    [frame([FRAME.headers, 0x24, 1], Buffer.concat([Buffer.of(0, 0, 0, 1, 9), CONNECT]))],
    protocolError,
  ],
  ["a stream's window update of 0", [OPEN, windowUpdate(1, Buffer.alloc(4))], protocolError],
  ["a stream's window beyond 2^31-1", [OPEN, windowUpdate(1, LARGEST_WINDOW)], flowControlError],
  ["DATA behind its end", [OPEN_AND_ENDED, frame([FRAME.data, 0, 1], Buffer.of(1))], streamClosed],
  ["HEADERS behind their end", [OPEN_AND_ENDED, headers(1, CONNECT)], streamClosed],
  ["HEADERS in an open tunnel", [OPEN, headers(1, CONNECT)], protocolError],
  [
    "less content than announced",
    [headers(1, GET), frame([FRAME.data, END_STREAM, 1], Buffer.of(1))],
    protocolError,
  ],
  ["PRIORITY of 4 octets", [frame([FRAME.priority, 0, 1], Buffer.alloc(4))], frameSizeError],
];

for (const [what, frames, code] of STREAM_ERRORS) {
  test(`Incoming: ${what} resets its stream with ${code}, and the connection goes on`, async () => {
    const { socket, heard, owner } = peer;
    socket.write(Buffer.concat([GREETING, ...frames, headers(3, CONNECT)]));
    await owner.until(({ accepted }) => accepted.some(({ stream }) => stream.id === 3));
    while (!heard.some(({ type, stream }) => type === FRAME.headers && stream === 3)) {
      await nextOf(socket, "data");
    }
    expect(endsHeard(heard)).toEqual([`reset 1 ${code}`]);
    expect(owner.error).toBeUndefined();
  });
}
