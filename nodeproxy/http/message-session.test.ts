import { afterEach, beforeEach, expect, jest, test } from "@jest/globals";
import fc from "fast-check";
import { MemorySide } from "../../test/fakes/memory-side.ts";
import { END_HEADERS, END_STREAM, FRAME, frame, headerBlock } from "../../test/netns/raw-http2.ts";
import { MessageSession } from "./message-session.ts";
import type { MessageStream } from "./message-stream.ts";

const PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
const SETTINGS = frame([FRAME.settings, 0, 0]);
const BLOCK = headerBlock([
  [":method", "POST"],
  [":scheme", "http"],
  [":authority", "shop"],
  [":path", "/"],
]);
const HEAD_TIMEOUT_MS = 60_000;
const LIMITS = { headBytes: 65_536, fields: 100, headTimeoutMs: HEAD_TIMEOUT_MS };

const opened: { readonly side: MemorySide; readonly session: MessageSession }[] = [];

beforeEach(() => {
  jest.useFakeTimers({ doNotFake: ["nextTick", "setImmediate"] });
});

afterEach(async () => {
  for (const { side, session } of opened.splice(0)) {
    session.destroy();
    side.lose();
  }
  await nextTurn();
  jest.useRealTimers();
});

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** A server's session that has read nothing yet. `work`: what a request costs. */
async function served(work: () => void = () => undefined) {
  const faults: string[] = [];
  const streams: MessageStream[] = [];
  const side = new MemorySide();
  const session = new MessageSession(
    side.side,
    {
      onRequest: (stream) => {
        work();
        stream.hearBy({
          onData: ({ length }) => stream.release(length),
          onEnd: () => undefined,
          onSent: () => undefined,
          onClose: () => undefined,
        });
        stream.resume();
        streams.push(stream);
      },
      onClosed: ({ reason }) => faults.push(reason),
    },
    { isServer: true, limits: LIMITS },
  );
  opened.push({ side, session });
  await nextTurn();
  return { side, session, faults, streams };
}

async function greeted(work?: () => void) {
  const world = await served(work);
  world.side.put(Buffer.concat([PREFACE, SETTINGS]));
  return world;
}

/** All of it, in as many turns of the loop as it takes. */
async function put({ side, faults }: Awaited<ReturnType<typeof served>>, bytes: Buffer) {
  side.put(bytes);
  do await nextTurn();
  while (side.isPaused && faults.length === 0);
}

const OPEN = frame([FRAME.headers, END_HEADERS, 1], BLOCK);

test.each([
  ["PING", frame([FRAME.ping, 0, 0], Buffer.alloc(8)), 20_000],
  ["SETTINGS", SETTINGS, 99],
  ["empty DATA", frame([FRAME.data, 0, 1]), 1_000],
  ["WINDOW_UPDATE", frame([FRAME.windowUpdate, 0, 0], Buffer.of(0, 0, 0, 1)), 50_000],
  ["PRIORITY", frame([FRAME.priority, 0, 1], Buffer.of(0, 0, 0, 3, 9)), 20_000],
  ["unknown frames", frame([0xc, 0, 0]), 20_000],
])(
  "MessageSession: %s: as many at once as an honest peer sends, one more is a flood",
  async (_, one, many) => {
    const world = await greeted();
    await put(world, OPEN);
    for (let left = many; left > 0; left -= 1_000) {
      await put(world, Buffer.concat(Array.from({ length: Math.min(left, 1_000) }, () => one)));
    }
    expect(world.faults).toEqual([]);
    await put(world, one);
    await nextTurn();
    expect(world.faults).toEqual(["http2_flood"]);
    expect(world.session.isClosed).toBe(true);
  },
);

test("MessageSession: time gives back what was spent", async () => {
  const world = await greeted();
  for (let second = 0; second < 100; second += 1) {
    await put(world, Buffer.concat(Array.from({ length: 10 }, () => SETTINGS)));
    jest.advanceTimersByTime(1_001);
  }
  expect(world.faults).toEqual([]);
});

test("MessageSession: DATA with octets, or that ends a stream, and heads are never too many", async () => {
  const world = await greeted();
  for (let i = 0; i < 30_000; i += 1) {
    const id = 2 * i + 1;
    const frames = [
      frame([FRAME.headers, END_HEADERS, id], BLOCK),
      frame([FRAME.data, 0, id], Buffer.alloc(1)),
      frame([FRAME.data, END_STREAM, id]),
    ];
    world.side.put(Buffer.concat(frames));
    if (i % 100 === 99) {
      await put(world, Buffer.alloc(0));
      for (const stream of world.streams.splice(0)) stream.sendHead([":status", "200"], true);
    }
  }
  expect(world.faults).toEqual([]);
  expect(world.session.streams.size).toBe(0);
});

test("MessageSession: a head that does not end, the first SETTINGS too, has its time", async () => {
  const begun: readonly Buffer[][] = [
    [],
    [PREFACE.subarray(0, 10)],
    [PREFACE],
    [PREFACE, SETTINGS, OPEN.subarray(0, 11)],
    [PREFACE, SETTINGS, frame([FRAME.headers, 0, 1], BLOCK)],
    [
      PREFACE,
      SETTINGS,
      frame([FRAME.headers, 0, 1], BLOCK),
      frame([FRAME.continuation, 0, 1], BLOCK),
    ],
  ];
  for (const pieces of begun) {
    const world = await served();
    for (const piece of pieces) world.side.put(piece);
    jest.advanceTimersByTime(HEAD_TIMEOUT_MS - 1);
    await nextTurn();
    expect(world.faults).toEqual([]);
    jest.advanceTimersByTime(1);
    await nextTurn();
    expect(world.faults).toEqual(["http_head_timeout"]);
  }
});

/** As long as nothing else of a connection is read in the same turn of the loop. */
function passTurn(): void {
  jest.advanceTimersByTime(2);
}

test("MessageSession: heads that came whole are not late, however many turns they were read in", async () => {
  const world = await greeted(passTurn);
  const heads = Array.from({ length: 20 }, (_, i) =>
    frame([FRAME.headers, END_HEADERS, 2 * i + 1], BLOCK),
  );
  world.side.put(Buffer.concat(heads));
  expect(world.side.isPaused).toBe(true);
  do await nextTurn();
  while (world.side.isPaused);
  expect(world.streams).toHaveLength(20);
  expect(jest.getTimerCount()).toBe(0);
});

test("MessageSession: a head that does not end has its time in whichever turn it is read", async () => {
  const world = await greeted(passTurn);
  const heads = Array.from({ length: 20 }, (_, i) =>
    frame([FRAME.headers, i < 19 ? END_HEADERS : 0, 2 * i + 1], BLOCK),
  );
  await put(world, Buffer.concat(heads));
  expect(world.streams).toHaveLength(19);
  jest.advanceTimersByTime(HEAD_TIMEOUT_MS);
  await nextTurn();
  expect(world.faults).toEqual(["http_head_timeout"]);
});

/** Of a peer that takes nothing: one write to it is under way, and never done. */
async function stuck() {
  const world = await greeted();
  world.side.isFull = true;
  await nextTurn();
  await nextTurn();
  return world;
}

test("MessageSession: ended by us it is gone soon, though its peer takes nothing", async () => {
  const { side, session } = await stuck();
  session.destroy();
  jest.advanceTimersByTime(1_000);
  expect(side.destroyed).toBe(true);
  await nextTurn();
  expect(jest.getTimerCount()).toBe(0);
});

test("MessageSession: closed in order it waits for a peer that takes nothing until it is ended by us", async () => {
  const { side, session } = await stuck();
  session.close();
  jest.advanceTimersByTime(60_000);
  expect(session.isClosed).toBe(true);
  expect(side.destroyed).toBe(false);
  session.destroy();
  jest.advanceTimersByTime(1_000);
  expect(side.destroyed).toBe(true);
});

test("MessageSession: between requests there is no hurry, and none after its end", async () => {
  const { side, session } = await greeted();
  side.put(OPEN);
  expect(jest.getTimerCount()).toBe(0);
  side.put(frame([FRAME.headers, 0, 3], BLOCK));
  expect(jest.getTimerCount()).toBe(1);
  side.put(frame([FRAME.continuation, END_HEADERS, 3], Buffer.alloc(0)));
  expect(jest.getTimerCount()).toBe(0);
  side.put(frame([FRAME.headers, 0, 5], BLOCK));
  session.destroy();
  side.lose();
  await nextTurn();
  expect(jest.getTimerCount()).toBe(0);
});

test("MessageSession: a request that announces content and ends without any is reset, and nobody is asked for it", async () => {
  const { side, streams, session, faults } = await greeted();
  const block = headerBlock([
    [":method", "POST"],
    [":scheme", "http"],
    [":authority", "shop"],
    [":path", "/"],
    ["content-length", "5"],
  ]);
  side.put(frame([FRAME.headers, END_HEADERS | END_STREAM, 1], block));
  await nextTurn();
  expect(streams).toEqual([]);
  expect(session.streams.size).toBe(0);
  expect(faults).toEqual([]);
  expect(Buffer.concat(side.written).includes(resetOf(1, 1))).toBe(true);
});

function resetOf(id: number, code: number): Buffer {
  const payload = Buffer.alloc(4);
  payload.writeUInt32BE(code);
  return frame([FRAME.resetStream, 0, id], payload);
}

test.each([
  ["that announces content and has none is not heard", { method: "POST", length: "5", told: [] }],
  ["to HEAD is heard, whatever it says", { method: "HEAD", length: "5", told: ["200"] }],
  ["without content is heard", { method: "POST", length: "0", told: ["200"] }],
])("MessageSession: an answer %s", async (_, { method, length, told }) => {
  const side = new MemorySide();
  const session = new MessageSession(
    side.side,
    { onClosed: () => undefined },
    { isServer: false, limits: LIMITS },
  );
  opened.push({ side, session });
  await nextTurn();
  side.put(SETTINGS);
  const stream = session.request();
  const heard: (string | undefined)[] = [];
  stream?.hearBy({
    onAnswer: ({ fields }) => heard.push(fields[1]),
    onData: () => undefined,
    onEnd: () => undefined,
    onSent: () => undefined,
    onClose: () => undefined,
  });
  if (method === "HEAD") stream?.expectNoContent();
  stream?.sendHead([":method", method, ":scheme", "http", ":path", "/"], true);
  stream?.resume();
  const block = headerBlock([
    [":status", "200"],
    ["content-length", length],
  ]);
  side.put(frame([FRAME.headers, END_HEADERS | END_STREAM, 1], block));
  expect(heard).toEqual(told);
  expect(stream?.destroyed).toBe(true);
  expect(stream?.resetCode).toBe(told.length > 0 ? undefined : 1);
});

test("MessageSession: cut anywhere, the same requests are read", async () => {
  const bytes = Buffer.concat([
    PREFACE,
    SETTINGS,
    frame([FRAME.headers, 0, 1], BLOCK.subarray(0, 9)),
    frame([FRAME.continuation, END_HEADERS, 1], BLOCK.subarray(9)),
    frame([FRAME.data, END_STREAM, 1], Buffer.alloc(700)),
    frame([FRAME.headers, END_HEADERS | END_STREAM, 3], BLOCK),
  ]);
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(bytes.length), { maxLength: 50 }), async (cuts) => {
      const world = await served();
      const ends = [...cuts.toSorted((a, b) => a - b), bytes.length];
      let from = 0;
      for (const end of ends) {
        world.side.put(bytes.subarray(from, end));
        from = end;
      }
      await nextTurn();
      expect(world.faults).toEqual([]);
      expect(world.streams.map(({ id, hasFarEnded }) => [id, hasFarEnded])).toEqual([
        [1, true],
        [3, true],
      ]);
      world.session.destroy();
    }),
    { numRuns: 50 },
  );
});

test("MessageSession: streams whose bodies nobody takes hold so many octets, and the others go on meanwhile", async () => {
  const { side, session } = await greeted();
  const stalled: MessageStream[] = [];
  const data = Buffer.alloc(16_384);
  const HELD = 16 << 20;
  const EACH = 256 << 10;
  let granted = 65_535;
  function look(): void {
    for (const bytes of side.written.splice(0)) {
      for (let at = 0; at < bytes.length; at += 9 + bytes.readUIntBE(at, 3)) {
        const isOfAll = bytes[at + 3] === FRAME.windowUpdate && bytes.readUInt32BE(at + 5) === 0;
        if (isOfAll) granted += bytes.readUInt32BE(at + 9);
      }
    }
  }
  await nextTurn();
  look();
  let sent = 0;
  for (let id = 1; stalled.length < 1_000; id += 2) {
    side.put(frame([FRAME.headers, END_HEADERS, id], BLOCK));
    const stream = session.streams.get(id);
    if (!stream) throw new Error("no stream");
    stream.pause();
    stalled.push(stream);
    for (let octets = 0; octets < EACH && granted - sent >= data.length; octets += data.length) {
      side.put(frame([FRAME.data, 0, id], data));
      sent += data.length;
      if (side.isPaused) await nextTurn();
    }
    await nextTurn();
    look();
    if (granted - sent < data.length) break;
  }
  // What may be on its way stands behind what is kept.
  expect(sent).toBeGreaterThanOrEqual(HELD);
  expect(sent).toBeLessThanOrEqual(HELD + (4 << 20));
  for (const stream of stalled) stream.resume();
  await nextTurn();
  look();
  expect(granted - sent).toBeGreaterThan(3 << 20);
  session.destroy();
});

test("MessageSession: without a number for one more request it takes none, and what runs goes on", async () => {
  const side = new MemorySide();
  const session = new MessageSession(
    side.side,
    { onClosed: () => undefined },
    { isServer: false, limits: LIMITS, firstId: 0x7fff_fffd },
  );
  opened.push({ side, session });
  await nextTurn();
  side.put(SETTINGS);
  const ids = [1, 2].map(() => {
    expect(session.isOpen).toBe(true);
    const stream = session.request();
    stream?.sendHead([":method", "GET", ":scheme", "http", ":path", "/"], true);
    return stream?.id;
  });
  expect(ids).toEqual([0x7fff_fffd, 0x7fff_ffff]);
  expect(session.isOpen).toBe(false);
  expect(session.request()).toBeUndefined();
  expect(session.streams.size).toBe(2);
  session.close();
  expect(session.isClosed).toBe(false);
});

test("MessageSession: heads of requests that come at once wait for the line, and none is taken for a flood", async () => {
  const side = new MemorySide();
  const faults: string[] = [];
  const session = new MessageSession(
    side.side,
    { onClosed: ({ reason }) => faults.push(reason) },
    { isServer: false, limits: LIMITS },
  );
  opened.push({ side, session });
  await nextTurn();
  side.put(SETTINGS);
  const long = "x".repeat(20_000);
  for (let i = 0; i < 90; i += 1) {
    const fields = [":method", "GET", ":scheme", "http", ":path", "/", "x-long", long + i];
    session.request()?.sendHead(fields, true, ["x-long"]);
  }
  expect(session.streams.size).toBeLessThan(90);
  while (session.streams.size < 90 && faults.length === 0) await nextTurn();
  expect(faults).toEqual([]);
  expect(session.isOpen).toBe(true);
});
