import { afterEach, beforeEach, expect, jest, test } from "@jest/globals";
import { Heartbeat } from "./heartbeat.ts";

beforeEach(() => {
  jest.useFakeTimers();
});

afterEach(() => {
  jest.useRealTimers();
});

test("Heartbeat: whoever answers is never silent", () => {
  let asked = 0;
  const silent: number[] = [];
  const beat = new Heartbeat({
    ask: () => {
      asked += 1;
      beat.answered();
    },
    onSilent: (unanswered) => silent.push(unanswered),
  });
  jest.advanceTimersByTime(3_600_000);
  beat.stop();
  expect([asked, silent]).toEqual([3_600, []]);
});

test("Heartbeat: ten questions without an answer are told once, after eleven seconds", () => {
  const silent: number[] = [];
  const beat = new Heartbeat({ ask() {}, onSilent: (unanswered) => silent.push(unanswered) });
  jest.advanceTimersByTime(10_999);
  expect(silent).toEqual([]);
  jest.advanceTimersByTime(60_000);
  expect(silent).toEqual([10]);
  beat.stop();
});

test("Heartbeat: a late answer begins the count anew", () => {
  const silent: number[] = [];
  const beat = new Heartbeat({ ask() {}, onSilent: (unanswered) => silent.push(unanswered) });
  jest.advanceTimersByTime(10_000);
  beat.answered();
  jest.advanceTimersByTime(10_000);
  expect(silent).toEqual([]);
  beat.stop();
});

test("Heartbeat: once stopped it asks no more", () => {
  let asked = 0;
  const beat = new Heartbeat({ ask: () => void (asked += 1), onSilent() {} });
  beat.stop();
  jest.advanceTimersByTime(60_000);
  expect(asked).toBe(0);
});
