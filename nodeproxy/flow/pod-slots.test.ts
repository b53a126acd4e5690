import { expect, test } from "@jest/globals";
import { PodSlots } from "./pod-slots.ts";

test("take(): as many as the limit at once, and again as they end", () => {
  const slots = new PodSlots(2);
  const first = slots.take();
  expect(slots.take()).toBeDefined();
  expect(slots.take()).toBeUndefined();
  first?.end();
  expect(slots.take()).toBeDefined();
  expect(slots.take()).toBeUndefined();
});

test("end(): gives one slot back, however often it is called", () => {
  const slots = new PodSlots(2);
  const first = slots.take();
  slots.take();
  first?.end();
  first?.end();
  expect(slots.take()).toBeDefined();
  expect(slots.take()).toBeUndefined();
});
