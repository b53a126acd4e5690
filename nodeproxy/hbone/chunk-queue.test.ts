import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { ChunkQueue } from "./chunk-queue.ts";

const CHUNKS = fc.array(
  fc
    .oneof(fc.integer({ min: 1, max: 6_000 }), fc.integer({ min: 1, max: 1_500 }))
    .chain((size) => fc.integer({ min: 0, max: 255 }).map((of) => Buffer.alloc(size, of))),
  { maxLength: 60 },
);

test("copyTo(): octets come out as they went in, in pieces of any size", () => {
  fc.assert(
    fc.property(CHUNKS, fc.array(fc.integer({ min: 0, max: 9_000 })), (chunks, sizes) => {
      const queue = new ChunkQueue();
      const taken: Buffer[] = [];
      chunks.forEach((chunk, i) => {
        queue.push(chunk);
        const size = Math.min(sizes[i] ?? 0, queue.bytes);
        const target = Buffer.alloc(size + 3);
        queue.copyTo(target, 3, size);
        taken.push(target.subarray(3));
      });
      const rest = Buffer.alloc(queue.bytes);
      queue.copyTo(rest, 0, rest.length);
      expect(Buffer.concat([...taken, rest]).equals(Buffer.concat(chunks))).toBe(true);
      expect(queue.bytes).toBe(0);
    }),
  );
});

test("pushMerged(): octets come out as they went in, whenever they are asked for", () => {
  fc.assert(
    fc.property(CHUNKS, fc.array(fc.boolean()), (chunks, asked) => {
      const queue = new ChunkQueue();
      const taken: Buffer[] = [];
      chunks.forEach((chunk, i) => {
        queue.pushMerged(chunk);
        const next = asked[i] === true ? queue.shift() : undefined;
        if (next) taken.push(next);
      });
      for (let next = queue.shift(); next; next = queue.shift()) taken.push(next);
      expect(Buffer.concat(taken).equals(Buffer.concat(chunks))).toBe(true);
      expect(queue.bytes).toBe(0);
    }),
  );
});

test("pushMerged(): ten thousand chunks of one octet are few pieces", () => {
  const queue = new ChunkQueue();
  for (let i = 0; i < 10_000; i += 1) queue.pushMerged(Buffer.of(i & 255));
  let pieces = 0;
  while (queue.shift()) pieces += 1;
  expect(pieces).toBe(3);
});

test("push(): ten thousand chunks of one octet that wait are few pieces, and come out one by one", () => {
  const queue = new ChunkQueue();
  for (let i = 0; i < 10_000; i += 1) queue.push(Buffer.of(i & 255));
  const target = Buffer.alloc(1);
  for (let i = 0; i < 5_000; i += 1) {
    queue.copyTo(target, 0, 1);
    expect(target[0]).toBe(i & 255);
    queue.push(Buffer.of((10_000 + i) & 255));
  }
  const rest = Buffer.alloc(queue.bytes - 1);
  queue.copyTo(rest, 0, rest.length);
  expect(rest.every((octet, i) => octet === ((5_000 + i) & 255))).toBe(true);
  for (let i = 0; i < 10_000; i += 1) queue.push(Buffer.of(0));
  let pieces = 0;
  while (queue.shift()) pieces += 1;
  expect(pieces).toBeLessThan(30);
});

test("pushMerged(): a chunk that waits does not keep the record that it came in", () => {
  const queue = new ChunkQueue();
  const record = Buffer.allocUnsafeSlow(16_384).fill(7);
  queue.pushMerged(record.subarray(100, 3_100));
  queue.pushMerged(record.subarray(200, 10_000));
  const [small, large] = [queue.shift(), queue.shift()];
  expect(small).toEqual(Buffer.alloc(3_000, 7));
  expect(small?.buffer.byteLength).toBe(3_000);
  // More than half of it: not worth a copy.
  expect(large?.buffer).toBe(record.buffer);
});
