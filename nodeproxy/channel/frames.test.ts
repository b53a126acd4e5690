import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { encodeFrame, FrameReader } from "./frames.ts";

test("FrameReader: gives back what was encoded, however the stream is cut", () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ maxLength: 50 })),
      fc.integer({ min: 1, max: 20 }),
      (bodies, step) => {
        const frames = bodies.map((body, i) => ({ body: Buffer.from(body), descriptorCount: i }));
        const stream = Buffer.concat(frames.map(encodeFrame));
        const reader = new FrameReader(50);
        const read: unknown[] = [];
        for (let at = 0; at < stream.length; at += step) {
          reader.push(stream.subarray(at, at + step));
          for (let frame = reader.next(); frame; frame = reader.next()) {
            read.push({ body: Buffer.from(frame.body), descriptorCount: frame.descriptorCount });
          }
        }
        expect(read).toEqual(frames);
      },
    ),
  );
});

test("FrameReader: refuses a frame longer than the limit before it has come", () => {
  const reader = new FrameReader(10);
  reader.push(encodeFrame({ body: Buffer.alloc(11), descriptorCount: 0 }).subarray(0, 8));
  expect(() => reader.next()).toThrow(RangeError);
});
