/** Frames that no honest client sends, through the engine: what it says to them, and what the application sees of them. */

import { once } from "node:events";
import { constants, type ServerHttp2Stream } from "node:http2";
import { connect, type Socket } from "node:net";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import {
  ask,
  type Http2App,
  Http2Engine,
  openClient,
  startHttp2App,
} from "../../test/fakes/http2-engine.ts";
import {
  END_HEADERS,
  END_STREAM,
  FRAME,
  frame,
  headerBlock,
  headers,
  RawHttp2,
} from "../../test/netns/raw-http2.ts";

type Field = readonly [string, string];

const GET: readonly Field[] = [
  [":method", "GET"],
  [":scheme", "http"],
  [":authority", "shop.example"],
  [":path", "/"],
];
const POST: readonly Field[] = [[":method", "POST"], ...GET.slice(1)];
const PROTOCOL_ERROR = "reset 1";

let app: Http2App;
let engine: Http2Engine;
/** Paths of what came to the application. */
let seen: string[];
let onStream: (stream: ServerHttp2Stream) => void;
const raws: RawHttp2[] = [];

beforeEach(async () => {
  seen = [];
  onStream = (stream) => {
    stream.respond({ ":status": 200 });
    stream.end("served");
  };
  app = await startHttp2App((stream, fields) => {
    seen.push(String(fields[":path"]));
    onStream(stream);
  });
  engine = await new Http2Engine({ appPort: app.port }).start();
});

afterEach(async () => {
  for (const raw of raws.splice(0)) raw.destroy();
  await engine.close();
  await app.close();
});

async function plain(): Promise<Socket> {
  const socket = connect(engine.port, "127.0.0.1");
  socket.on("error", () => undefined);
  socket.on("end", () => socket.destroy());
  await once(socket, "connect");
  return socket;
}

async function attacker(): Promise<RawHttp2> {
  const raw = new RawHttp2(await plain());
  raws.push(raw);
  raw.greet();
  await raw.greeted();
  return raw.send(frame([FRAME.settings, 1, 0]));
}

/** Another connection is served as before. */
async function stillServes(): Promise<void> {
  const client = await openClient(engine.port);
  expect((await ask(client, { ":path": "/after" })).body).toBe("served");
  client.destroy();
}

function request(stream: number, fields: readonly Field[], flags = END_HEADERS | END_STREAM) {
  return frame([FRAME.headers, flags, stream], headerBlock(fields));
}

test("serveHttp2(): who says something else than HTTP/2 is ended, and the application hears nothing", async () => {
  const socket = await plain();
  socket.write("GET / HTTP/1.1\r\nhost: shop.example\r\n\r\n");
  socket.resume();
  await once(socket, "close");
  expect([seen, engine.dials, engine.refusals]).toEqual([[], 0, ["http2_protocol_error"]]);
  await stillServes();
});

test.each<readonly [string, readonly Field[]]>([
  ["a connection field", [...GET, ["connection", "keep-alive"]]],
  ["transfer-encoding", [...POST, ["transfer-encoding", "chunked"]]],
  ["upgrade", [...GET, ["upgrade", "websocket"]]],
  ["keep-alive", [...GET, ["keep-alive", "1"]]],
  ["proxy-connection", [...GET, ["proxy-connection", "close"]]],
  ["a value with LF", [...GET, ["x-text", "a\nx-admin: 1"]]],
  ["a value with CR", [...GET, ["x-text", "a\rb"]]],
  ["a value with NUL", [...GET, ["x-text", "a\0b"]]],
  ["a blank before a value", [...GET, ["x-text", " a"]]],
  ["a name with a blank", [...GET, ["x text", "a"]]],
  ["no name", [...GET, ["", "a"]]],
  ["te other than trailers", [...GET, ["te", "gzip"]]],
  ["a name in upper case", [...GET, ["X-Upper", "1"]]],
  ["two paths", [...GET, [":path", "/b"]]],
  ["no path", GET.slice(0, 3)],
  ["an unknown pseudo field", [...GET, [":shop", "1"]]],
  ["a pseudo field behind others", [...GET.slice(0, 3), ["a", "1"], [":path", "/"]]],
  ["two hosts", [...GET.slice(0, 2), ["host", "a"], ["host", "b"], [":path", "/"]]],
  ["two content-lengths", [...GET, ["content-length", "0"], ["content-length", "0"]]],
  ["content-length with a sign", [...GET, ["content-length", "+0"]]],
  ["content-length of a body that does not come", [...GET, ["content-length", "1"]]],
  ["Extended CONNECT", [[":method", "CONNECT"], [":protocol", "websocket"], ...GET.slice(1)]],
  ["CONNECT with a path", [[":method", "CONNECT"], ...GET.slice(1)]],
  ["a status", [[":status", "200"], ...GET]],
])(
  "serveHttp2(): a request with %s is reset, the next of the connection answered",
  async (_, fields) => {
    const raw = await attacker();
    raw.send(request(1, fields));
    expect(await raw.answer(1)).toBe(PROTOCOL_ERROR);
    raw.send(request(3, GET));
    expect(await raw.answer(3)).toBe(200);
    expect(seen).toEqual(["/"]);
  },
);

test.each([
  ["more", "4"],
  ["less", "6"],
])(
  "serveHttp2(): %s DATA than content-length says is no whole request to the application",
  async (_, length) => {
    const closed = Promise.withResolvers<[boolean, number | undefined]>();
    onStream = (stream) => {
      let isWhole = false;
      stream.on("end", () => {
        isWhole = stream.rstCode === constants.NGHTTP2_NO_ERROR;
      });
      stream.once("close", () => closed.resolve([isWhole, stream.rstCode]));
      stream.resume();
    };
    const raw = await attacker();
    raw.send(request(1, [...POST, ["content-length", length]], END_HEADERS));
    // Its head is there before its body is wrong.
    while (seen.length === 0) await raw.ping();
    raw.send(frame([FRAME.data, END_STREAM, 1], Buffer.from("12345")));
    expect(await raw.answer(1)).toBe(PROTOCOL_ERROR);
    expect(await closed.promise).toEqual([false, constants.NGHTTP2_CANCEL]);
  },
);

test("serveHttp2(): drain(): what a caller sends before it can know is served, what comes later is not", async () => {
  const running = Promise.withResolvers<ServerHttp2Stream>();
  onStream = (stream) => {
    if (seen.length === 1) running.resolve(stream);
    else {
      stream.respond({ ":status": 200 });
      stream.end("served");
    }
  };
  const raw = await attacker();
  raw.send(request(1, GET));
  const stream = await running.promise;
  engine.served[0]?.drain();
  const ping = await raw.first(({ type, payload }) => (type === FRAME.ping ? payload : undefined));
  raw.send(request(3, GET));
  expect(await raw.answer(3)).toBe(200);
  raw.send(frame([FRAME.ping, 1, 0], ping));
  const lasts = await raw.first(() => {
    const goAways = raw.frames.filter(({ type }) => type === FRAME.goAway);
    return goAways.length === 2 ? goAways : undefined;
  });
  expect(lasts?.map(({ payload }) => payload.readUInt32BE(0))).toEqual([2 ** 31 - 1, 3]);
  stream.respond({ ":status": 200 });
  stream.end();
  expect(await raw.answer(1)).toBe(200);
  await raw.closed();
  expect(seen).toHaveLength(2);
});

const block = headerBlock([...GET, ["x-fill", "a".repeat(8_000)]]);

test.each<readonly [string, number, (i: number) => Buffer]>([
  ["SETTINGS", 1_000, () => frame([FRAME.settings, 0, 0])],
  [
    "empty DATA",
    5_000,
    (i) => (i === 0 ? request(1, POST, END_HEADERS) : frame([FRAME.data, 0, 1])),
  ],
  [
    "CONTINUATION",
    5_000,
    (i) =>
      i === 0
        ? frame([FRAME.headers, END_STREAM, 1], block)
        : frame([FRAME.continuation, 0, 1], block),
  ],
  [
    "rapid resets",
    20_000,
    (i) => {
      const id = 2 * i + 1;
      const cancel = frame([FRAME.resetStream, 0, id], Buffer.of(0, 0, 0, 8));
      return Buffer.concat([request(id, GET), cancel]);
    },
  ],
  [
    "what makes the server reset",
    5_000,
    (i) => {
      const id = 2 * i + 1;
      const wrong = frame([FRAME.windowUpdate, 0, id], Buffer.alloc(4));
      return Buffer.concat([request(id, POST, END_HEADERS), wrong]);
    },
  ],
])("serveHttp2(): a flood of %s ends the connection, and no other", async (_, count, make) => {
  const raw = await attacker();
  await raw.flood(count, make);
  await raw.closed();
  expect(await raw.answer(0)).toMatch(/^goaway|^closed/);
  await stillServes();
});

test("serveHttp2(): floods are told by their code", async () => {
  const raw = await attacker();
  await raw.flood(1_000, () => frame([FRAME.settings, 0, 0]));
  await raw.closed();
  expect(engine.refusals).toEqual(["http2_flood"]);
});

test("serveHttp2(): a head that does not end has its time, and is told by its code", async () => {
  await engine.close();
  engine = await new Http2Engine({ appPort: app.port, limits: { headTimeoutMs: 500 } }).start();
  const raw = await attacker();
  raw.send(frame([FRAME.headers, END_STREAM, 1], headerBlock(GET)));
  await raw.closed();
  expect([engine.refusals, seen]).toEqual([["http_head_timeout"], []]);
});

test("serveHttp2(): a head beyond the limits is refused, the connection goes on", async () => {
  const raw = await attacker();
  const many = Array.from({ length: 110 }, (_, i): Field => [`x-${i}`, "1"]);
  raw.send(request(1, [...GET, ...many]));
  expect(await raw.answer(1)).toBe(431);
  raw.send(request(3, [...GET, ...many, ...many]));
  expect(await raw.answer(3)).toMatch(/^reset /);
  raw.send(request(5, GET));
  expect(await raw.answer(5)).toBe(200);
  expect(seen).toEqual(["/"]);
});

test.each([
  [
    "overflow of the connection's window",
    frame([FRAME.windowUpdate, 0, 0], Buffer.of(127, 255, 255, 255)),
    "goaway 3",
  ],
  ["a window update of nothing", frame([FRAME.windowUpdate, 0, 0], Buffer.alloc(4)), "goaway 1"],
  ["a frame that is too large", frame([FRAME.data, 0, 1], Buffer.alloc(16_385)), "goaway 6"],
  ["DATA on no stream", frame([FRAME.data, 0, 0], Buffer.alloc(1)), "goaway 1"],
  ["an even stream", headers(2, headerBlock(GET)), "goaway 1"],
  ["a push", frame([5, END_HEADERS, 1], Buffer.alloc(8)), "goaway 1"],
  ["octets that are no HPACK", headers(1, Buffer.of(0xff, 0xff, 0xff, 0xff)), "goaway 9"],
])("serveHttp2(): %s ends the connection with its code", async (_, bytes, said) => {
  const raw = await attacker();
  raw.send(bytes);
  expect(await raw.answer(1)).toBe(said);
  await raw.closed();
  expect([seen, engine.refusals]).toEqual([[], ["http2_protocol_error"]]);
  expect(engine.refusedWith).toEqual([0]);
  await stillServes();
});

test("serveHttp2(): trailers with what no trailer may say are carried without it", async () => {
  const trailers = Promise.withResolvers<object>();
  onStream = (stream) => {
    stream.on("trailers", trailers.resolve);
    stream.on("data", () => undefined);
    stream.on("end", () => {
      stream.respond({ ":status": 200 });
      stream.end();
    });
  };
  const raw = await attacker();
  const last: readonly Field[] = [
    ["http2-settings", "AAMAAABk"],
    ["te", "trailers"],
    ["host", "other.example"],
    ["x-sum", "1"],
    ["x-sum", "2"],
  ];
  raw.send(request(1, POST, END_HEADERS), frame([FRAME.data, 0, 1], Buffer.from("body")));
  raw.send(request(1, last));
  expect(await raw.answer(1)).toBe(200);
  expect(Object.entries(await trailers.promise)).toEqual([["x-sum", "1, 2"]]);
});

test("serveHttp2(): a preface octet by octet is as good as one at once", async () => {
  const socket = await plain();
  socket.setNoDelay(true);
  const raw = new RawHttp2(socket);
  raws.push(raw);
  const bytes = Buffer.concat([
    Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    frame([FRAME.settings, 0, 0]),
    request(1, GET),
  ]);
  for (const octet of bytes) {
    await new Promise((resolve) => socket.write(Buffer.of(octet), resolve));
  }
  expect(await raw.answer(1)).toBe(200);
});
