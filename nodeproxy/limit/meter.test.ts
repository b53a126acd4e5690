/** Every limiter in simulated time, and against what it says of itself. */
import { expect, test } from "@jest/globals";
import fc from "fast-check";
import type { RateQuota } from "../../core/model/rate-limit.ts";
import { createMeter, type Meter } from "./meter.ts";

function passes(meter: Meter, nowMs: number): boolean {
  if (meter.waitMs(nowMs) > 0) return false;
  meter.take(nowMs);
  return true;
}

/** How many of `count` requests at once pass. */
function burst(meter: Meter, nowMs: number, count: number): number {
  return Array.from({ length: count }, () => passes(meter, nowMs)).filter(Boolean).length;
}

test("FixedWindow: takes so many, and again when the window that the first request began has ended", () => {
  const meter = createMeter({ kind: "fixed_window", requests: 3, windowMs: 1000 });
  expect(burst(meter, 700, 5)).toBe(3);
  expect(meter.waitMs(700)).toBe(1000);
  expect(meter.waitMs(1699)).toBe(1);
  expect(burst(meter, 1699, 1)).toBe(0);
  expect(burst(meter, 1700, 5)).toBe(3);
  expect(burst(meter, 9000, 5)).toBe(3);
});

test("SlidingWindow: a place is free again a window after it was taken, up to a sixteenth late", () => {
  const meter = createMeter({ kind: "sliding_window", requests: 3, windowMs: 1600 });
  expect(burst(meter, 50, 2)).toBe(2);
  expect(burst(meter, 850, 2)).toBe(1);
  expect(meter.waitMs(850)).toBe(850);
  expect(burst(meter, 1699, 1)).toBe(0);
  expect(burst(meter, 1700, 3)).toBe(2);
  expect(meter.waitMs(1700)).toBe(800);
  expect(burst(meter, 2500, 3)).toBe(1);
  expect(burst(meter, 60_000, 5)).toBe(3);
});

test("TokenBucket: is full at first, and fills evenly", () => {
  const meter = createMeter({ kind: "token_bucket", requests: 2, windowMs: 1000, burst: 5 });
  expect(burst(meter, 123_456, 9)).toBe(5);
  expect(meter.waitMs(123_456)).toBe(500);
  expect(burst(meter, 123_955, 1)).toBe(0);
  expect(burst(meter, 123_956, 2)).toBe(1);
  expect(burst(meter, 125_456, 9)).toBe(3);
  expect(burst(meter, 999_456, 9)).toBe(5);
});

test("TokenBucket: what does not divide evenly is not lost", () => {
  const meter = createMeter({ kind: "token_bucket", requests: 3, windowMs: 1000, burst: 1 });
  let passed = 0;
  for (let nowMs = 0; nowMs < 10_000; nowMs += 1) if (passes(meter, nowMs)) passed += 1;
  expect(passed).toBe(30);
});

const requests = fc.integer({ min: 1, max: 20 });
const windowMs = fc.integer({ min: 1000, max: 20_000 });
const anyQuota: fc.Arbitrary<RateQuota> = fc.oneof(
  fc.record({
    kind: fc.constantFrom("fixed_window" as const, "sliding_window" as const),
    requests,
    windowMs,
  }),
  fc.record({ kind: fc.constant("token_bucket" as const), requests, windowMs, burst: requests }),
);
/** Milliseconds between one request and the next: many at once, some at a window's edge. */
const gaps = fc.array(
  fc.oneof(
    fc.constant(0),
    fc.integer({ min: 1, max: 200 }),
    fc.integer({ min: 1, max: 3 }).map((windows) => -windows),
  ),
  { minLength: 1, maxLength: 200 },
);

/** Times of the requests that pass, of those that come at these gaps; negative ones are in windows. */
function admitted(quota: RateQuota, between: readonly number[], startMs: number): number[] {
  const meter = createMeter(quota);
  let nowMs = startMs;
  return between.flatMap((gap) => {
    nowMs += gap < 0 ? -gap * quota.windowMs : gap;
    return passes(meter, nowMs) ? [nowMs] : [];
  });
}

/** The most that the definition allows within a stretch of so many milliseconds, its first one included and its last one not. */
function mostWithin(quota: RateQuota, ms: number): number {
  const { requests: count, windowMs: window } = quota;
  switch (quota.kind) {
    case "fixed_window":
      return count * (Math.ceil((ms - 1) / window) + 1);
    case "sliding_window":
      return count * Math.ceil(ms / window);
    case "token_bucket":
      return quota.burst + Math.floor(((ms - 1) * count) / window);
  }
}

test("createMeter(): never admits more than its definition says, in any stretch of time", () => {
  fc.assert(
    fc.property(anyQuota, gaps, fc.nat(1_000_000), (quota, between, startMs) => {
      const times = admitted(quota, between, startMs);
      for (const [first, from] of times.entries()) {
        for (const [offset, to] of times.slice(first).entries()) {
          expect(offset + 1).toBeLessThanOrEqual(mostWithin(quota, to - from + 1));
        }
      }
    }),
  );
});

test("createMeter(): passes exactly when it said it would, and not before", () => {
  fc.assert(
    fc.property(anyQuota, gaps, (quota, between) => {
      const meter = createMeter(quota);
      let nowMs = 0;
      for (const gap of between) {
        nowMs += Math.abs(gap);
        const waitMs = meter.waitMs(nowMs);
        const isEarlyRefused = waitMs === 0 || meter.waitMs(nowMs + waitMs - 1) > 0;
        nowMs += waitMs;
        expect([isEarlyRefused, meter.waitMs(nowMs)]).toEqual([true, 0]);
        meter.take(nowMs);
      }
    }),
  );
});

test("createMeter(): who asks no faster than the quota is never refused by a bucket", () => {
  fc.assert(
    fc.property(requests, windowMs, fc.integer({ min: 2, max: 20 }), (count, window, most) => {
      const meter = createMeter({
        kind: "token_bucket",
        requests: count,
        windowMs: window,
        burst: most,
      });
      const step = Math.ceil(window / count);
      for (let i = 0; i < 100; i += 1) expect(passes(meter, i * step)).toBe(true);
    }),
  );
});

test("createMeter(): as many as it says are left pass at once, and one more when it says there is room", () => {
  fc.assert(
    fc.property(anyQuota, gaps, (quota, between) => {
      const meter = createMeter(quota);
      let nowMs = 0;
      for (const gap of between) {
        nowMs += Math.abs(gap);
        const left = meter.left(nowMs);
        expect(burst(meter, nowMs, left + 1)).toBe(left);
        expect(meter.left(nowMs)).toBe(0);
        const moreMs = meter.moreMs(nowMs);
        expect(meter.left(nowMs + moreMs - 1)).toBe(0);
        nowMs += moreMs;
        expect(meter.left(nowMs)).toBeGreaterThan(0);
        if (meter.left(nowMs) > 1) meter.take(nowMs);
      }
    }),
  );
});

test("createMeter(): is as new when it says so, and not before something of it is there again", () => {
  fc.assert(
    fc.property(anyQuota, gaps, (quota, between) => {
      const meter = createMeter(quota);
      expect([meter.idleMs(0), meter.moreMs(0)]).toEqual([0, 0]);
      let nowMs = 0;
      for (const gap of between) {
        nowMs += Math.abs(gap);
        passes(meter, nowMs);
      }
      const idleMs = meter.idleMs(nowMs);
      expect(idleMs).toBeGreaterThanOrEqual(meter.moreMs(nowMs));
      const full = createMeter(quota).left(0);
      const isLate = idleMs === 0 || meter.left(nowMs + idleMs - 1) < full;
      expect([isLate, meter.left(nowMs + idleMs)]).toEqual([true, full]);
    }),
  );
});
