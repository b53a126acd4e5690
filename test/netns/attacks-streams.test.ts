/**
 * Attacks by frames and streams, of group E of the list of attacks and what group D has of HTTP/2: through two node
 * proxies, the called pod's node or the caller's as the first to read them, to an application that counts.
 */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "@jest/globals";
import {
  ACK,
  ask,
  CountedStreams,
  data,
  FIRST_PLACE,
  GOAWAY,
  HIGHEST,
  LONG,
  post,
  requestBlock,
  SETTING,
  settings,
  WHOLE,
  widen,
} from "./counted-streams.ts";
import { FRAME, frame, headerBlock } from "./raw-http2.ts";
import { FRONTS, type Front } from "./two-fronts.ts";

type Frames = readonly Buffer[];

/** HPACK: an empty one. */
const COOKIE = Buffer.of(0xa0);
let app: CountedStreams;

beforeAll(async () => {
  app = await CountedStreams.start("wa-stream");
});

beforeEach(() => {
  app.clear();
});

/** Whatever was done: others are served, and nothing of it stays. */
afterEach(async () => {
  for (const front of FRONTS) await stillServes(front);
  await app.leave();
});

afterAll(async () => {
  await app[Symbol.asyncDispose]();
});

async function stillServes(front: Front): Promise<void> {
  expect(await app.next(front)).toEqual([200, "/next"]);
}

function block(...parts: Frames): Buffer {
  return frame([FRAME.headers, WHOLE, 1], Buffer.concat(parts));
}

function times(place: Buffer): Buffer {
  return Buffer.alloc(10_000).fill(place);
}

function extended(protocol: string): Buffer {
  return block(headerBlock([[":protocol", protocol]]), requestBlock("/", [], "CONNECT"));
}

/** Said once on a new connection: what the first stream, or the connection, gets for it. */
const VERDICTS: readonly (readonly [name: string, frames: Frames, verdict: string])[] = [
  ["attack 55: a coding", [post(1, "/", [["transfer-encoding", "chunked"]])], "reset 1"],
  ["attack 55: a length with a sign", [post(1, "/", [["content-length", "+1"]])], "reset 1"],
  ["attack 55: a length without DATA", [ask(1, "/", [["content-length", "1"]])], "reset 1"],
  [
    "attack 64: an entry 10,000 times",
    [block(requestBlock("/"), LONG, times(FIRST_PLACE))],
    "reset 11",
  ],
  ["attack 64: 10,000 crumbs of a cookie", [block(requestBlock("/"), times(COOKIE))], "reset 11"],
  [
    "attack 64: three sizes of the table",
    [block(Buffer.of(32, 32, 32), requestBlock("/"))],
    "goaway 9",
  ],
  ["attack 64: a size behind a field", [block(requestBlock("/"), Buffer.of(32))], "goaway 9"],
  [
    "attack 64: a table of 4,097 octets",
    [block(Buffer.of(0x3f, 0xe2, 0x1f), requestBlock("/"))],
    "goaway 9",
  ],
  ["attack 64: a place in an empty table", [block(requestBlock("/"), FIRST_PLACE)], "goaway 9"],
  ["attack 65: a field of nothing", [block(requestBlock("/", [["", ""]]))], "reset 1"],
  ["attack 66: a window of a stream beyond 2^31", [post(1, "/held"), widen(1, HIGHEST)], "reset 3"],
  ["attack 66: of the connection", [widen(0, HIGHEST)], "goaway 3"],
  ["attack 66: wider by 0, a stream", [post(1, "/held"), widen(1, 0)], "reset 1"],
  ["attack 66: wider by 0, the connection", [widen(0, 0)], "goaway 1"],
  ["attack 66: initial windows beyond 2^31", [settings(SETTING.window, HIGHEST + 1)], "goaway 3"],
  [
    "attack 68: GOAWAY within a head",
    [frame([FRAME.headers, 0, 1], requestBlock("/")), GOAWAY],
    "goaway 1",
  ],
  ["attack 68: a request behind GOAWAY", [post(3, "/held"), GOAWAY, ask(5)], "reset 7"],
  ["attack 69: a head that is no HPACK", [block(Buffer.alloc(8, 0xff))], "goaway 9"],
  [
    "attack 69: a head that ends within a field",
    [block(requestBlock("/").subarray(0, -1))],
    "goaway 9",
  ],
  [
    "attack 73: a frame of 16,385 octets",
    [post(1, "/held"), data(1, "x".repeat(16_385))],
    "goaway 6",
  ],
  [
    "attack 73: padding as long as its frame",
    [post(1, "/held"), frame([0, 8, 1], Buffer.of(1))],
    "goaway 1",
  ],
  ["attack 73: stream 0", [ask(0)], "goaway 1"],
  ["attack 73: an even stream", [ask(2)], "goaway 1"],
  ["attack 73: a stream below another", [post(HIGHEST, "/held"), ask(5)], "goaway 1"],
  ["attack 74: a method of CONNECT and a protocol", [extended("websocket")], "reset 1"],
  ["attack 74: CONNECT with a path", [block(requestBlock("/", [], "CONNECT"))], "reset 1"],
  ["attack 74: CONNECT to nobody", [block(headerBlock([[":method", "CONNECT"]]))], "reset 1"],
  ["attack 75: ACK with a payload", [frame([FRAME.settings, 1, 0], Buffer.alloc(6))], "goaway 6"],
];

test.each(
  FRONTS.flatMap((front) => VERDICTS.map(([name, ...said]) => [name, front, said] as const)),
)("%s, first heard at the %s's node", async (...[, front, [frames, verdict]]) => {
  const raw = app.attacker(front).send(...frames);
  const of = frames[0]?.readUInt32BE(5) === 3 ? 5 : 1;
  expect(await raw.answer(of)).toBe(verdict);
  expect(app.whole).toEqual([]);
  // Where it was one stream's fault the connection goes on.
  const goesOn = /^reset [^7]/.test(verdict);
  expect(await raw.send(ask(7, "/later")).answer(7)).toBe(goesOn ? 200 : verdict);
  expect(app.whole).toEqual(goesOn ? ["/later "] : []);
});

/** Said again and again, behind an open request, until the connection is ended. */
const FLOODS: readonly (readonly [name: string, make: (i: number) => Buffer])[] = [
  ["attack 61: requests taken back at once", (i) => Buffer.concat([ask(id(i)), reset(id(i))])],
  [
    "attack 62: requests that the server has to reset",
    (i) => Buffer.concat([post(id(i), "/held"), widen(id(i), 0)]),
  ],
  [
    "attack 63: CONTINUATION",
    (i) => frame([i === 0 ? FRAME.headers : FRAME.continuation, 0, 3], requestBlock("/")),
  ],
  [
    "attack 63: empty CONTINUATION",
    (i) => frame([i === 0 ? FRAME.headers : FRAME.continuation, 0, 3]),
  ],
  [
    "attack 64: sizes of the table by SETTINGS",
    (i) => settings(SETTING.tableSize, i % 2 === 0 ? 0 : 2 ** 32 - 1),
  ],
  ["attack 65: PING", () => frame([FRAME.ping, 0, 0], Buffer.alloc(8))],
  ["attack 65: SETTINGS", () => settings(SETTING.window, 0)],
  ["attack 65: PRIORITY", () => frame([FRAME.priority, 0, 1], Buffer.alloc(5))],
  ["attack 65: empty DATA", () => data(1, "")],
  ["attack 65: HEADERS of nothing", (i) => frame([FRAME.headers, WHOLE, id(i)])],
  ["attack 65: RST_STREAM of what is gone", () => reset(1)],
  ["attack 71: ORIGIN", () => frame([12, 0, 0], Buffer.alloc(16))],
  ["attack 71: ALTSVC", () => frame([10, 0, 1], Buffer.alloc(16))],
  ["attack 75: ACK", () => ACK],
];

function id(i: number): number {
  return 2 * i + 3;
}

function reset(stream: number): Buffer {
  return frame([FRAME.resetStream, 0, stream], Buffer.of(0, 0, 0, 8));
}

test.each(FRONTS.flatMap((front) => FLOODS.map(([name, make]) => [name, front, make] as const)))(
  "%s without end ends its connection, first heard at the %s's node",
  async (...[, front, make]) => {
    const raw = app.attacker(front).send(post(1, "/held"));
    await raw.flood(2_000_000, make);
    await raw.closed();
    expect(app.whole.length).toBeLessThan(15_000);
  },
);
