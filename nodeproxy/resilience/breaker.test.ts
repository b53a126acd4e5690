/** In simulated time. */
import { expect, test } from "@jest/globals";
import fc from "fast-check";
import type { BreakerSettings } from "../../core/model/http-settings.ts";
import { Breaker, type BreakerMemory, type Pass } from "./breaker.ts";

const SETTINGS = { consecutiveFailures: 3, openMs: 1_000, maxOpenMs: 3_000, halfOpenRequests: 2 };

/** Opened at that time. */
function opened(nowMs: number): Breaker {
  const breaker = new Breaker();
  for (let i = 0; i < SETTINGS.consecutiveFailures; i += 1)
    breaker.failed(SETTINGS, "closed", nowMs);
  return breaker;
}

/** One that may try. */
function trial(breaker: Breaker, nowMs: number): number {
  const pass = breaker.tryPass(SETTINGS, nowMs);
  if (typeof pass !== "number") throw new Error(`no trial but ${pass}`);
  return pass;
}

test("Breaker: opens with so many failures in a row, a success begins anew", () => {
  const breaker = new Breaker();
  expect(breaker.failed(SETTINGS, "closed", 0)).toBe(false);
  expect(breaker.failed(SETTINGS, "closed", 0)).toBe(false);
  breaker.succeeded(SETTINGS, "closed");
  expect(breaker.failed(SETTINGS, "closed", 0)).toBe(false);
  expect(breaker.failed(SETTINGS, "closed", 0)).toBe(false);
  expect(breaker.tryPass(SETTINGS, 0)).toBe("closed");
  expect(breaker.failed(SETTINGS, "closed", 10)).toBe(true);
  expect(breaker.tryPass(SETTINGS, 1_009)).toBe(undefined);
});

test("Breaker: half open a few may try, all good closes it", () => {
  const breaker = opened(0);
  const first = trial(breaker, 1_000);
  const second = trial(breaker, 1_000);
  expect(breaker.tryPass(SETTINGS, 1_000)).toBe(undefined);
  breaker.succeeded(SETTINGS, first);
  expect(breaker.tryPass(SETTINGS, 1_001)).toBe(undefined);
  breaker.succeeded(SETTINGS, second);
  expect(breaker.tryPass(SETTINGS, 1_001)).toBe("closed");
  for (let i = 0; i < 2; i += 1) expect(breaker.failed(SETTINGS, "closed", 1_002)).toBe(false);
});

test("Breaker: half open one bad opens it again for twice as long, up to the most", () => {
  const breaker = opened(0);
  let openMs = 1_000;
  let nowMs = 0;
  for (const next of [2_000, 3_000, 3_000]) {
    nowMs += openMs;
    expect(breaker.tryPass(SETTINGS, nowMs - 1)).toBe(undefined);
    expect(breaker.failed(SETTINGS, trial(breaker, nowMs), nowMs)).toBe(true);
    openMs = next;
  }
  nowMs += openMs;
  for (const pass of [trial(breaker, nowMs), trial(breaker, nowMs)]) {
    breaker.succeeded(SETTINGS, pass);
  }
  for (let i = 0; i < 3; i += 1) breaker.failed(SETTINGS, "closed", nowMs);
  expect(breaker.tryPass(SETTINGS, nowMs + 999)).toBe(undefined);
  trial(breaker, nowMs + 1_000);
});

test("Breaker: what was under way when it opened neither closes nor opens it", () => {
  const breaker = opened(0);
  expect(breaker.failed(SETTINGS, "closed", 1)).toBe(false);
  breaker.succeeded(SETTINGS, "closed");
  expect(breaker.tryPass(SETTINGS, 999)).toBe(undefined);
  trial(breaker, 1_000);
});

test("Breaker: a try that never tells leaves its place, at once where it is abandoned", () => {
  const breaker = opened(0);
  trial(breaker, 1_000);
  breaker.abandoned(trial(breaker, 1_000), 1_001);
  const late = trial(breaker, 1_001);
  expect(breaker.tryPass(SETTINGS, 1_999)).toBe(undefined);
  const next = trial(breaker, 2_000);
  // Nobody waits for it any more.
  expect(breaker.failed(SETTINGS, late, 2_001)).toBe(false);
  breaker.abandoned(next, 2_001);
  trial(breaker, 2_001);
});

type Step =
  | { readonly kind: "ask" }
  | { readonly kind: "good" | "bad" | "abandon"; readonly at: number }
  | { readonly kind: "wait"; readonly ms: number };

const anySettings = fc.record({
  consecutiveFailures: fc.integer({ min: 1, max: 4 }),
  openMs: fc.integer({ min: 1, max: 2_000 }),
  maxOpenMs: fc.integer({ min: 1, max: 10_000 }),
  halfOpenRequests: fc.integer({ min: 1, max: 3 }),
});

const anyStep: fc.Arbitrary<Step> = fc.oneof(
  fc.constant({ kind: "ask" as const }),
  fc.record({ kind: fc.constantFrom("good", "bad", "abandon"), at: fc.nat(20) }),
  fc.record({ kind: fc.constant("wait" as const), ms: fc.nat(2_000) }),
);

test("Breaker: open nobody passes before its time, half open no more than may try, and it never stays shut for good", () => {
  fc.assert(
    fc.property(anySettings, fc.array(anyStep, { maxLength: 80 }), (settings, steps) => {
      const run = new Run(settings);
      for (const step of steps) {
        run.take(step);
        const { tried, good, failures } = run.memory;
        expect(run.hasPassedTooSoon).toBe(false);
        expect(tried).toBeLessThanOrEqual(settings.halfOpenRequests);
        expect(good).toBeLessThanOrEqual(tried);
        expect(failures).toBeLessThan(settings.consecutiveFailures);
      }
      const longestMs = Math.max(settings.openMs, settings.maxOpenMs);
      expect(run.breaker.tryPass(settings, run.nowMs + longestMs)).not.toBe(undefined);
    }),
  );
});

class Run {
  readonly memory = createMemory();
  readonly breaker = new Breaker(this.memory);
  nowMs = 0;
  hasPassedTooSoon = false;
  readonly #settings: BreakerSettings;
  readonly #underWay: Pass[] = [];
  #openedMs = Number.NEGATIVE_INFINITY;

  constructor(settings: BreakerSettings) {
    this.#settings = settings;
  }

  take(step: Step): void {
    if (step.kind === "wait") this.nowMs += step.ms;
    else if (step.kind === "ask") this.#ask();
    else this.#tell(step.kind, step.at);
  }

  #ask(): void {
    const pass = this.breaker.tryPass(this.#settings, this.nowMs);
    if (pass !== undefined) this.#underWay.push(pass);
    const untilMs = this.#openedMs + this.#settings.openMs;
    if (typeof pass === "number" && this.nowMs < untilMs) this.hasPassedTooSoon = true;
  }

  #tell(kind: "good" | "bad" | "abandon", at: number): void {
    const [pass] = this.#underWay.splice(at % Math.max(1, this.#underWay.length), 1);
    if (pass === undefined) return;
    if (kind === "good") this.breaker.succeeded(this.#settings, pass);
    else if (kind === "abandon") this.breaker.abandoned(pass, this.nowMs);
    else if (this.breaker.failed(this.#settings, pass, this.nowMs)) this.#openedMs = this.nowMs;
  }
}

function createMemory(): BreakerMemory {
  return {
    failures: 0,
    openings: 0,
    tried: 0,
    good: 0,
    untilMs: 0,
    exclusively: (work) => work(),
  };
}
