import { afterEach, beforeEach, expect, jest, test } from "@jest/globals";
import fc from "fast-check";
import { END_HEADERS, END_STREAM, FRAME, frame, headerBlock } from "../../test/netns/raw-http2.ts";
import { type FrameFault, Http2FrameWatch } from "./http2-frame-watch.ts";

const PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
const SETTINGS = frame([FRAME.settings, 0, 0]);
const BLOCK = headerBlock([[":path", "/"]]);
const HEAD_TIMEOUT_MS = 60_000;

beforeEach(() => {
  jest.useFakeTimers();
});

afterEach(() => {
  jest.useRealTimers();
});

function watching() {
  const faults: FrameFault[] = [];
  const watch = new Http2FrameWatch({
    headTimeoutMs: HEAD_TIMEOUT_MS,
    onFault: (fault) => faults.push(fault),
  });
  return { watch, faults };
}

function greeted() {
  const watched = watching();
  watched.watch.look(Buffer.concat([PREFACE, SETTINGS]));
  return watched;
}

test.each([
  ["PING", frame([FRAME.ping, 0, 0], Buffer.alloc(8)), 20_000],
  ["SETTINGS", SETTINGS, 99],
  ["RST_STREAM", frame([FRAME.resetStream, 0, 1], Buffer.alloc(4)), 20_000],
  ["empty DATA", frame([FRAME.data, 0, 1]), 1_000],
  ["WINDOW_UPDATE", frame([FRAME.windowUpdate, 0, 0], Buffer.alloc(4)), 50_000],
  ["PRIORITY", frame([FRAME.priority, 0, 1], Buffer.alloc(5)), 20_000],
  ["unknown frames", frame([0xc, 0, 0]), 20_000],
  ["CONTINUATION", frame([FRAME.continuation, 0, 1], Buffer.alloc(1)), 1_000],
])(
  "Http2FrameWatch: %s: as many at once as an honest peer sends, one more is a flood",
  (_, one, many) => {
    const { watch, faults } = greeted();
    expect(watch.look(Buffer.concat(Array.from({ length: many }, () => one)))).toBe(true);
    expect(faults).toEqual([]);
    expect(watch.look(one)).toBe(false);
    expect(watch.look(one)).toBe(false);
    expect(faults).toEqual(["http2_flood"]);
  },
);

test("Http2FrameWatch: time gives back what was spent", () => {
  const { watch, faults } = greeted();
  for (let second = 0; second < 100; second += 1) {
    watch.look(Buffer.concat(Array.from({ length: 10 }, () => SETTINGS)));
    jest.advanceTimersByTime(1_001);
  }
  expect(faults).toEqual([]);
});

test("Http2FrameWatch: DATA with octets, or that ends a stream, and heads are never too many", () => {
  const { watch, faults } = greeted();
  const frames = [
    frame([FRAME.headers, END_HEADERS, 1], BLOCK),
    frame([FRAME.data, 0, 1], Buffer.alloc(1)),
    frame([FRAME.data, END_STREAM, 1]),
  ];
  for (let i = 0; i < 30_000; i += 1) watch.look(Buffer.concat(frames));
  expect(faults).toEqual([]);
});

test("Http2FrameWatch: a head that does not end, the first SETTINGS too, has its time", () => {
  const begun: readonly Buffer[][] = [
    [],
    [PREFACE.subarray(0, 10)],
    [PREFACE],
    [PREFACE, SETTINGS, frame([FRAME.headers, END_HEADERS, 1], BLOCK).subarray(0, 11)],
    [PREFACE, SETTINGS, frame([FRAME.headers, 0, 1], BLOCK)],
    [
      PREFACE,
      SETTINGS,
      frame([FRAME.headers, 0, 1], BLOCK),
      frame([FRAME.continuation, 0, 1], BLOCK),
    ],
  ];
  for (const pieces of begun) {
    const { watch, faults } = watching();
    for (const piece of pieces) watch.look(piece);
    jest.advanceTimersByTime(HEAD_TIMEOUT_MS - 1);
    expect(faults).toEqual([]);
    jest.advanceTimersByTime(1);
    expect(faults).toEqual(["http_head_timeout"]);
  }
});

test("Http2FrameWatch: between requests there is no hurry, and none after close()", () => {
  const { watch, faults } = greeted();
  watch.look(frame([FRAME.headers, END_HEADERS, 1], BLOCK));
  expect(jest.getTimerCount()).toBe(0);
  watch.look(frame([FRAME.headers, 0, 3], BLOCK));
  expect(jest.getTimerCount()).toBe(1);
  watch.look(frame([FRAME.continuation, END_HEADERS, 3], BLOCK));
  expect(jest.getTimerCount()).toBe(0);
  watch.look(frame([FRAME.headers, 0, 5], BLOCK));
  watch.close();
  expect(jest.getTimerCount()).toBe(0);
  expect(faults).toEqual([]);
});

test("Http2FrameWatch: cut anywhere, the same frames are seen", () => {
  const bytes = Buffer.concat([
    PREFACE,
    SETTINGS,
    frame([FRAME.headers, 0, 1], BLOCK),
    frame([FRAME.continuation, END_HEADERS, 1], BLOCK),
    ...Array.from({ length: 100 }, () => SETTINGS),
  ]);
  fc.assert(
    fc.property(fc.array(fc.nat(bytes.length), { maxLength: 200 }), (cuts) => {
      const { watch, faults } = watching();
      const ends = [...cuts.toSorted((a, b) => a - b), bytes.length];
      let from = 0;
      for (const end of ends) {
        watch.look(bytes.subarray(from, end));
        from = end;
      }
      // The hundred after the first are one too many.
      expect(faults).toEqual(["http2_flood"]);
    }),
  );
});
