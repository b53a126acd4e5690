import { afterEach, beforeEach, expect, jest, test } from "@jest/globals";
import type { ResourceSpans } from "./otlp-writer.ts";
import {
  BATCH_SPANS,
  MAX_SPANS,
  type Posted,
  SpanExporter,
  type SpanFate,
} from "./span-exporter.ts";

const TAKEN: Posted = { kind: "taken", rejected: 0 };
const LATER: Posted = { kind: "later", reason: "away", afterMs: 0 };
const SPAN = new Uint8Array([1]);

/** A collector whose answers are written down beforehand, the last of them for all that follow. */
class Collector {
  readonly batches: (readonly ResourceSpans[])[] = [];
  readonly atMs: number[] = [];
  readonly fates: Record<SpanFate, number> = {
    exported: 0,
    queue_full: 0,
    rejected: 0,
    given_up: 0,
  };
  readonly said: (string | undefined)[] = [];
  answers: Posted[] = [TAKEN];
  readonly exporter = new SpanExporter({
    post: async (batch) => {
      this.batches.push(batch);
      this.atMs.push(Date.now());
      const [answer = TAKEN] = this.answers;
      if (this.answers.length > 1) this.answers.shift();
      return Promise.resolve(answer);
    },
    count: (fate, spans) => {
      this.fates[fate] += spans;
    },
    onChanged: (reason) => this.said.push(reason),
    draw: () => 0,
    now: () => Date.now(),
  });

  add(count: number, key = "pod"): void {
    const owner = { key, resource: () => Buffer.from(key) };
    for (let i = 0; i < count; i += 1) this.exporter.add(owner, SPAN);
  }

  get sizes(): readonly number[] {
    return this.batches.map((batch) => batch.reduce((sum, { spans }) => sum + spans.length, 0));
  }
}

beforeEach(() => {
  jest.useFakeTimers();
});

afterEach(() => {
  jest.useRealTimers();
});

test("SpanExporter: a span goes within a second, with those that ended meanwhile, by their owners", async () => {
  const collector = new Collector();
  collector.add(1, "a");
  await jest.advanceTimersByTimeAsync(999);
  collector.add(2, "b");
  collector.add(1, "a");
  expect(collector.batches).toHaveLength(0);
  await jest.advanceTimersByTimeAsync(1);
  expect(collector.batches).toEqual([
    [
      { resource: Buffer.from("a"), spans: [SPAN, SPAN] },
      { resource: Buffer.from("b"), spans: [SPAN, SPAN] },
    ],
  ]);
  expect(collector.fates.exported).toBe(4);
});

test("SpanExporter: a full batch does not wait, and what is beyond it comes in the next", async () => {
  const collector = new Collector();
  collector.add(BATCH_SPANS + 1);
  await jest.advanceTimersByTimeAsync(10);
  expect(collector.sizes).toEqual([BATCH_SPANS]);
  await jest.advanceTimersByTimeAsync(1_000);
  expect(collector.sizes).toEqual([BATCH_SPANS, 1]);
  expect(jest.getTimerCount()).toBe(0);
});

test("SpanExporter: one batch at a time is on its way", async () => {
  const { promise, resolve } = Promise.withResolvers<Posted>();
  let posts = 0;
  const exporter = new SpanExporter({
    post: async () => {
      posts += 1;
      return promise;
    },
    count: () => undefined,
    onChanged: () => undefined,
    draw: () => 0,
    now: () => Date.now(),
  });
  const owner = { key: "pod", resource: () => SPAN };
  for (let i = 0; i < 3 * BATCH_SPANS; i += 1) exporter.add(owner, SPAN);
  await jest.advanceTimersByTimeAsync(60_000);
  expect(posts).toBe(1);
  resolve(TAKEN);
  await jest.advanceTimersByTimeAsync(10);
  expect(posts).toBe(3);
});

test("SpanExporter: what is not taken is sent again and again, later each time, and said once", async () => {
  const collector = new Collector();
  collector.answers = [LATER, LATER, LATER, LATER, LATER, LATER, LATER, TAKEN];
  collector.add(3);
  await jest.advanceTimersByTimeAsync(200_000);
  const waits = collector.atMs.slice(1).map((at, i) => at - (collector.atMs[i] ?? 0));
  expect(waits).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
  expect(new Set(collector.sizes)).toEqual(new Set([3]));
  expect(collector.fates).toEqual({ exported: 3, queue_full: 0, rejected: 0, given_up: 0 });
  expect(collector.said).toEqual(["away", undefined]);
});

test("SpanExporter: no sooner than the collector asks, whatever comes meanwhile", async () => {
  const collector = new Collector();
  collector.answers = [{ kind: "later", reason: "busy", afterMs: 90_000 }, TAKEN];
  collector.add(1);
  await jest.advanceTimersByTimeAsync(1_000);
  collector.add(2 * BATCH_SPANS);
  await jest.advanceTimersByTimeAsync(89_999);
  expect(collector.batches).toHaveLength(1);
  await jest.advanceTimersByTimeAsync(10);
  expect(collector.sizes).toEqual([1, 1, BATCH_SPANS, BATCH_SPANS]);
});

test("SpanExporter: chance takes up to half of a wait away", async () => {
  const atMs: number[] = [];
  const exporter = new SpanExporter({
    post: async () => {
      atMs.push(Date.now());
      return Promise.resolve(LATER);
    },
    count: () => undefined,
    onChanged: () => undefined,
    draw: () => 0.999_999,
    now: () => Date.now(),
  });
  exporter.add({ key: "pod", resource: () => SPAN }, SPAN);
  await jest.advanceTimersByTimeAsync(1_000 + 500 + 1_000);
  expect(atMs.map((at) => at - (atMs[0] ?? 0))).toEqual([0, 500, 1_500]);
  exporter.close();
});

test("SpanExporter: a bounded number waits; what is beyond is lost, and counted", async () => {
  const collector = new Collector();
  collector.answers = [LATER];
  collector.add(BATCH_SPANS);
  await jest.advanceTimersByTimeAsync(10);
  collector.add(MAX_SPANS);
  expect(collector.fates.queue_full).toBe(BATCH_SPANS);
  collector.answers = [TAKEN];
  await jest.advanceTimersByTimeAsync(60_000);
  expect(collector.fates).toMatchObject({ exported: MAX_SPANS, queue_full: BATCH_SPANS });
});

test("SpanExporter: after five minutes a batch is given up, and the next is tried as long", async () => {
  const collector = new Collector();
  collector.answers = [LATER];
  collector.add(1);
  await jest.advanceTimersByTimeAsync(1_000);
  collector.add(2);
  await jest.advanceTimersByTimeAsync(331_000);
  expect(collector.fates.given_up).toBe(1);
  expect(collector.sizes.at(-1)).toBe(2);
  collector.answers = [TAKEN];
  await jest.advanceTimersByTimeAsync(30_000);
  expect(collector.fates).toMatchObject({ exported: 2, given_up: 1 });
});

test("SpanExporter: what is refused is not sent again, and what the collector rejects is counted", async () => {
  const collector = new Collector();
  collector.answers = [
    { kind: "refused", reason: "400" },
    { kind: "taken", rejected: 2 },
  ];
  collector.add(5);
  await jest.advanceTimersByTimeAsync(1_000);
  expect(collector.fates).toMatchObject({ exported: 0, rejected: 5 });
  collector.add(3);
  await jest.advanceTimersByTimeAsync(1_000);
  expect(collector.fates).toMatchObject({ exported: 1, rejected: 7 });
  expect(collector.said).toEqual(["400", undefined]);
});

test("flush(): resolves once all is taken, without waiting for a second", async () => {
  const collector = new Collector();
  collector.add(BATCH_SPANS + 7);
  let isFlushed = false;
  void collector.exporter.flush().then(() => {
    isFlushed = true;
  });
  await jest.advanceTimersByTimeAsync(10);
  expect([isFlushed, collector.fates.exported]).toEqual([true, BATCH_SPANS + 7]);
  await collector.exporter.flush();
});

test("flush(): resolves where the collector takes nothing, and where it is closed", async () => {
  const collector = new Collector();
  collector.answers = [LATER];
  collector.add(1);
  const flushed = collector.exporter.flush();
  await jest.advanceTimersByTimeAsync(10);
  await flushed;
  const again = collector.exporter.flush();
  collector.exporter.close();
  await again;
  collector.add(1);
  expect(jest.getTimerCount()).toBe(0);
});
