import { afterEach, beforeEach, expect, jest, test } from "@jest/globals";
import { ReceiveWindow, STREAM_PARTS, STREAM_WINDOW } from "./receive-window.ts";
import { GROWTH, SHARED_WINDOW, WindowPool } from "./window-pool.ts";

const MB = 1 << 20;
/** Of a loopback, and of a line around half the world. */
const NEAR_MS = 0.05;
const FAR_MS = 50;

beforeEach(() => {
  jest.useFakeTimers({ now: 0 });
});

afterEach(() => {
  jest.useRealTimers();
});

interface Transfer {
  readonly window: ReceiveWindow;
  readonly pool: WindowPool;
  readonly bytesPerMs: number;
}

/** Reads so much in steps of a millisecond at that rate, as far as the window lets it. Returns what it was told of. */
function transfer({ window, pool, bytesPerMs }: Transfer, bytes: number): number {
  let told = 0;
  for (let done = 0; done < bytes; done += bytesPerMs) {
    jest.advanceTimersByTime(1);
    if (!window.take(bytesPerMs)) throw new Error("beyond the window");
    const increment = window.release(bytesPerMs, pool);
    told += increment;
    if (increment > 0) told += window.grow(increment, pool);
  }
  return told;
}

function streamWindow(): ReceiveWindow {
  return new ReceiveWindow(STREAM_WINDOW, STREAM_PARTS);
}

test("ReceiveWindow: a fast stream near by grows for its batches, and no further", () => {
  const pool = new WindowPool(() => NEAR_MS);
  const window = streamWindow();
  transfer({ window, pool, bytesPerMs: 16_384 }, 4 * MB);
  const { grown } = window;
  expect(grown).toBeGreaterThan(0);
  transfer({ window, pool, bytesPerMs: 30_000 }, 200 * MB);
  expect(window.grown).toBeLessThanOrEqual(MB);
});

test("ReceiveWindow: a stream that moves little stays as it began, however long it lives", () => {
  const pool = new WindowPool(() => NEAR_MS);
  const window = streamWindow();
  transfer({ window, pool, bytesPerMs: 1_000 }, 20 * MB);
  expect(window.grown).toBe(0);
});

test("ReceiveWindow: a long line's stream grows as far as the round trip takes it", () => {
  const pool = new WindowPool(() => FAR_MS);
  const window = streamWindow();
  // What 64 KB bring over that round trip, and so on: the window is what holds it back.
  for (let i = 0; i < 12; i += 1) {
    const bytesPerMs = Math.floor((STREAM_WINDOW + window.grown) / FAR_MS);
    transfer({ window, pool, bytesPerMs }, 5 * (STREAM_WINDOW + window.grown));
  }
  expect(window.grown).toBe(4 * MB - STREAM_WINDOW);
});

test("ReceiveWindow: where the round trip is not known it grows as long as that brings more", () => {
  const pool = new WindowPool(() => Number.NaN);
  const window = streamWindow();
  transfer({ window, pool, bytesPerMs: 1_000 }, 20 * MB);
  expect(window.grown).toBe(STREAM_WINDOW);
});

test("ReceiveWindow: while a light stream is read, a grown one is told of no more than what both can bear", () => {
  const pool = new WindowPool(() => FAR_MS);
  const bulk = streamWindow();
  for (let i = 0; i < 12; i += 1) {
    transfer({ window: bulk, pool, bytesPerMs: 16_384 }, 5 * (STREAM_WINDOW + bulk.grown));
  }
  expect(bulk.grown).toBeGreaterThan(MB);
  const light = streamWindow();
  light.take(100);
  light.release(100, pool);
  for (let read = 0; read < 10 * MB; read += 16_384) {
    expect(bulk.take(16_384)).toBe(true);
    bulk.release(16_384, pool);
  }
  let onItsWay = 0;
  while (bulk.take(1_024)) onItsWay += 1_024;
  expect(onItsWay).toBeLessThanOrEqual(SHARED_WINDOW);
  expect(onItsWay).toBeGreaterThanOrEqual(SHARED_WINDOW / STREAM_PARTS);
});

test("ReceiveWindow: what a light stream held back is given once it has been silent", () => {
  const pool = new WindowPool(() => FAR_MS);
  const bulk = streamWindow();
  for (let i = 0; i < 12; i += 1) {
    transfer({ window: bulk, pool, bytesPerMs: 16_384 }, 5 * (STREAM_WINDOW + bulk.grown));
  }
  const size = STREAM_WINDOW + bulk.grown;
  const light = streamWindow();
  light.take(100);
  light.release(100, pool);
  for (let read = 0; read < 2 * size; read += 16_384) {
    bulk.take(16_384);
    bulk.release(16_384, pool);
  }
  jest.advanceTimersByTime(1_001);
  bulk.take(16_384);
  const told = bulk.release(16_384, pool);
  expect(told).toBeGreaterThan(size - SHARED_WINDOW - 16_384);
});

test("WindowPool: lends no more than it has, and again what was given back", () => {
  const pool = new WindowPool(() => NEAR_MS);
  expect(pool.lend(GROWTH - 10)).toBe(GROWTH - 10);
  expect(pool.lend(100)).toBe(10);
  expect(pool.lend(100)).toBe(0);
  pool.giveBack(50);
  expect(pool.lend(100)).toBe(50);
});
