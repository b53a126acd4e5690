import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { ChunkQueue } from "./chunk-queue.ts";

const CHUNKS = fc.array(
  fc
    .integer({ min: 1, max: 6_000 })
    .chain((size) => fc.integer({ min: 0, max: 255 }).map((of) => Buffer.alloc(size, of))),
  { maxLength: 20 },
);

test("copyTo(): octets come out as they went in, in pieces of any size", () => {
  fc.assert(
    fc.property(CHUNKS, fc.array(fc.integer({ min: 1, max: 9_000 })), (chunks, sizes) => {
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
