import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { expect, test } from "@jest/globals";
import fc from "fast-check";
import type { RateLimit, RateQuota } from "../../core/model/rate-limit.ts";
import { createMeter, type Meter } from "../limit/meter.ts";
import { LocalMeters, type MeterKey, type Meters } from "../limit/meters.ts";
import { RateLimits } from "../limit/rate-limits.ts";
import { createMeterMemory, forgetMeterLocks, SharedMeters } from "./shared-meters.ts";

const WORKERS = 3;
const FIXED: RateQuota = { kind: "fixed_window", requests: 1, windowMs: 86_400_000 };

function limit(name: string, quota: RateQuota, kind: "everybody" | "identity"): RateLimit {
  return {
    policy: "shop/api",
    name,
    ports: [8080],
    pathPrefix: "",
    methods: [],
    hosts: [],
    headers: [],
    count: { kind: "local", by: { kind }, quota },
  };
}

function request(caller: string) {
  const http = { method: "GET", path: "/", host: "api", headers: new Map<string, string[]>() };
  return { port: 8080, caller, remoteIp: [], http };
}

function key(text: string, part: Partial<MeterKey> = {}): MeterKey {
  return { meaning: "m", text, quota: FIXED, isClaimed: false, ...part };
}

/** So many milliseconds after the memory was made, and an hour, on the clock of the thread. */
function later(meters: Meters, ms: number): number {
  return 3_600_000 + ms - meters.use([], 0, (_, nowMs) => nowMs);
}

function passes(meters: Meters, asked: MeterKey, ms: number): boolean {
  return meters.use([asked], later(meters, ms), ([meter], nowMs) => {
    if (!meter || meter.waitMs(nowMs) > 0) return false;
    meter.take(nowMs);
    return true;
  });
}

const requests = fc.integer({ min: 1, max: 6 });
const windowMs = fc.integer({ min: 1000, max: 5000 });
const anyQuota: fc.Arbitrary<RateQuota> = fc.oneof(
  fc.record({
    kind: fc.constantFrom("fixed_window" as const, "sliding_window" as const),
    requests,
    windowMs,
  }),
  fc.record({ kind: fc.constant("token_bucket" as const), requests, windowMs, burst: requests }),
);
const steps = fc.array(
  fc.record({
    gapMs: fc.integer({ min: 0, max: 3000 }),
    worker: fc.nat(WORKERS - 1),
    caller: fc.constantFrom("", "a", "b"),
  }),
  { minLength: 1, maxLength: 60 },
);

test("SharedMeters: workers that take turns admit what one that counts alone admits", () => {
  const memory = createMeterMemory("secret");
  let pod = 0;
  fc.assert(
    fc.property(fc.array(anyQuota, { minLength: 1, maxLength: 3 }), steps, (quotas, all) => {
      pod += 1;
      const workers = Array.from({ length: WORKERS }, (_, index) => {
        const meters = new SharedMeters(memory, index, `pod ${pod}`);
        return { limits: new RateLimits(meters), beginMs: later(meters, 0) };
      });
      const alone = new RateLimits(new LocalMeters());
      const ruling = quotas.map((quota, i) =>
        limit(`l${i}`, quota, i === 0 ? "everybody" : "identity"),
      );
      let stepMs = 0;
      for (const { gapMs, worker, caller } of all) {
        stepMs += gapMs;
        const asking = workers[worker];
        const atMs = (asking?.beginMs ?? 0) + stepMs;
        const shared = asking?.limits.admit(ruling, request(caller), atMs);
        expect(shared).toEqual(alone.admit(ruling, request(caller), 3_600_000 + stepMs));
      }
    }),
    { numRuns: 60 },
  );
});

test("SharedMeters: threads that ask all at once never admit more than the definition says, and no less", async () => {
  const memory = createMeterMemory("secret");
  const quotas: readonly RateQuota[] = [
    { kind: "fixed_window", requests: 50, windowMs: 1000 },
    { kind: "sliding_window", requests: 70, windowMs: 1600 },
    { kind: "token_bucket", requests: 40, windowMs: 1000, burst: 60 },
  ];
  const gate = new SharedArrayBuffer(4);
  const program = `
    import { parentPort, workerData } from "node:worker_threads";
    import { SharedMeters } from ${moduleOf("./shared-meters.ts")};
    const { memory, index, quotas, gate, rounds } = workerData;
    const meters = new SharedMeters(memory, index, "pod");
    const offsetMs = meters.use([], 0, (_, nowMs) => nowMs);
    const turn = new Int32Array(gate);
    for (const [round, atMs] of rounds.entries()) {
      while (Atomics.load(turn, 0) <= round) Atomics.wait(turn, 0, round);
      const admitted = quotas.map((quota, i) => {
        const key = { meaning: "q" + i, text: "", quota, isClaimed: false };
        let count = 0;
        for (let n = 0; n < 100; n += 1) {
          meters.use([key], 3_600_000 + atMs - offsetMs, ([meter], nowMs) => {
            if (meter.waitMs(nowMs) > 0) return;
            meter.take(nowMs);
            count += 1;
          });
        }
        return count;
      });
      parentPort.postMessage(admitted);
    }
  `;
  const rounds = [0, 0, 400, 999, 1001, 1400, 2100, 2101, 3333, 60_000];
  const url = new URL(`data:text/javascript,${encodeURIComponent(program)}`);
  const threads = Array.from(
    { length: WORKERS },
    (_, index) => new Worker(url, { workerData: { memory, index, quotas, gate, rounds } }),
  );
  const turn = new Int32Array(gate);
  const alone = quotas.map((quota) => createMeter(quota));
  for (const [round, atMs] of rounds.entries()) {
    const told = Promise.all(threads.map((thread) => once(thread, "message")));
    Atomics.store(turn, 0, round + 1);
    Atomics.notify(turn, 0);
    const counts = (await told) as [number[]][];
    const sums = quotas.map((_, i) => counts.reduce((sum, [each]) => sum + (each[i] ?? 0), 0));
    expect(sums).toEqual(alone.map((meter) => takeAll(meter, 3_600_000 + atMs)));
  }
}, 300_000);

/** As many as it has left. */
function takeAll(meter: Meter, nowMs: number): number {
  const left = meter.left(nowMs);
  for (let i = 0; i < left; i += 1) meter.take(nowMs);
  return left;
}

function moduleOf(path: string): string {
  return JSON.stringify(new URL(path, import.meta.url).href);
}

test("SharedMeters: a pod's counts are its own, and outlive the worker that counted", () => {
  const memory = createMeterMemory("secret");
  expect(passes(new SharedMeters(memory, 0, "a"), key("x"), 0)).toBe(true);
  forgetMeterLocks(memory, 0);
  expect(passes(new SharedMeters(memory, 1, "a"), key("x"), 0)).toBe(false);
  expect(passes(new SharedMeters(memory, 1, "b"), key("x"), 0)).toBe(true);
  expect(passes(new SharedMeters(memory, 1, "a"), key("x", { meaning: "n" }), 0)).toBe(true);
});

test("SharedMeters: a lock that a thread died in is open again", () => {
  const memory = createMeterMemory("secret");
  const dead = new SharedMeters(memory, 0, "a");
  dead.use([key("x")], 0, () => {
    // It never comes out again: what others do meanwhile, they do from here.
    forgetMeterLocks(memory, 0);
    expect(passes(new SharedMeters(memory, 1, "a"), key("x"), 0)).toBe(true);
  });
});

test("SharedMeters: who makes up values of a header spoils no count of an identity", () => {
  const memory = createMeterMemory("secret");
  const meters = new SharedMeters(memory, 0, "a");
  const proven = Array.from({ length: 40 }, (_, i) => key(`id ${i}`));
  expect(proven.map((one) => passes(meters, one, 0))).not.toContain(false);
  for (let i = 0; i < 200_000; i += 1) {
    passes(meters, key(`made up ${i}`, { meaning: "header", isClaimed: true }), i / 1000);
  }
  expect(proven.map((one) => passes(meters, one, 300))).not.toContain(true);
}, 300_000);

test("SharedMeters: one request's keys that share a set do not make room for each other", () => {
  const meters = new SharedMeters(createMeterMemory("secret"), 0, "a");
  // More keys than there are sets: some share one, whatever the secret.
  const keys = Array.from({ length: 20_000 }, (_, i) => key(`k${i}`));
  meters.use(keys, later(meters, 0), (all, nowMs) => {
    for (const meter of all) meter.take(nowMs);
  });
  const again = keys.filter((one) => passes(meters, one, 0));
  // Of those with more than eight in a set only.
  expect(again.length).toBeLessThan(200);
}, 300_000);

test("SharedMeters: nor do they where others have all places, whoever claims them", () => {
  for (const isClaimed of [false, true]) {
    const meters = new SharedMeters(createMeterMemory("secret"), 0, "a");
    const beginMs = later(meters, 0);
    for (let batch = 0; batch < 20; batch += 1) {
      const others = Array.from({ length: 20_000 }, (_, i) => key(`${batch} ${i}`, { isClaimed }));
      meters.use(others, beginMs, (all, nowMs) => {
        for (const meter of all) meter.take(nowMs);
      });
    }
    const keys = Array.from({ length: 1_000 }, (_, i) => key(`k${i}`, { isClaimed }));
    meters.use(keys, beginMs + 1, (all, nowMs) => {
      for (const meter of all) meter.take(nowMs);
    });
    expect(keys.filter((one) => passes(meters, one, 2))).toEqual([]);
  }
}, 300_000);
