import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { TAG } from "./der-reader.ts";
import { formatTime, readTime } from "./der-time.ts";

function read(tag: number, text: string): number {
  const content = Buffer.from(text, "latin1");
  return readTime({ tag, content, whole: content });
}

test("readTime(): reads what formatTime() writes, to the second, from 1950 to 9999", () => {
  const min = Date.parse("2000-01-01T00:00:00Z");
  const max = Date.parse("9999-12-31T23:59:59Z");
  fc.assert(
    fc.property(fc.integer({ min: min / 1000, max: max / 1000 }), (seconds) => {
      const { isUtc, text } = formatTime(seconds * 1000);
      expect(read(isUtc ? TAG.utcTime : TAG.generalizedTime, text)).toBe(seconds * 1000);
    }),
  );
});

test.each([
  [TAG.utcTime, "491231235959Z", "2049-12-31T23:59:59.000Z"],
  [TAG.utcTime, "500101000000Z", "1950-01-01T00:00:00.000Z"],
  [TAG.utcTime, "240229120000Z", "2024-02-29T12:00:00.000Z"],
  [TAG.generalizedTime, "20500101000000Z", "2050-01-01T00:00:00.000Z"],
])("readTime(): %d %s is %s", (tag, text, iso) => {
  expect(new Date(read(tag, text)).toISOString()).toBe(iso);
});

test.each([
  [TAG.utcTime, "230229120000Z"],
  [TAG.utcTime, "241301000000Z"],
  [TAG.utcTime, "240100000000Z"],
  [TAG.utcTime, "240101240000Z"],
  [TAG.utcTime, "240101006000Z"],
  [TAG.utcTime, "240101000060Z"],
  [TAG.utcTime, "2401010000Z"],
  [TAG.utcTime, "240101000000+0100"],
  [TAG.generalizedTime, "20240101000000.5Z"],
  [TAG.generalizedTime, "00240101000000Z"],
  [TAG.integer, "240101000000Z"],
])("readTime(): refuses %d %s", (tag, text) => {
  expect(() => read(tag, text)).toThrow(/time/);
});
