import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { givePiece, SlabQueue } from "./slab-queue.ts";

function patterned(length: number, seed: number): Buffer {
  return Buffer.alloc(length, `${seed} of ${length};`);
}

test("SlabQueue: what is pushed comes out in order, however it is cut, and the pushed chunk may change", () => {
  const sizes = fc.array(fc.integer({ min: 1, max: 200_000 }), { minLength: 1, maxLength: 8 });
  const cut = fc.array(fc.integer({ min: 1, max: 150_000 }), { minLength: 1, maxLength: 20 });
  fc.assert(
    fc.property(sizes, cut, fc.boolean(), (lengths, takes, isByPiece) => {
      const queue = new SlabQueue();
      const chunks = lengths.map((length, i) => patterned(length, i));
      const whole = Buffer.concat(chunks);
      for (const chunk of chunks) {
        queue.push(chunk);
        chunk.fill(0);
      }
      expect(queue.bytes).toBe(whole.length);
      const out: Buffer[] = [];
      for (const take of isByPiece ? [] : takes) {
        const length = Math.min(take, queue.bytes);
        const target = Buffer.alloc(length + 3);
        queue.copyTo(target, 3, length);
        out.push(target.subarray(3));
      }
      for (let piece = queue.takePiece(); piece; piece = queue.takePiece()) {
        out.push(Buffer.from(piece.memory.subarray(piece.from, piece.to)));
        givePiece(piece);
      }
      expect(queue.bytes).toBe(0);
      expect(Buffer.concat(out).equals(whole)).toBe(true);
    }),
    { numRuns: 50 },
  );
});

test("SlabQueue: two queues never share memory, also after some was given back", () => {
  const queues = [new SlabQueue(), new SlabQueue()] as const;
  for (let round = 0; round < 50; round += 1) {
    queues.forEach((queue, i) => queue.push(patterned(round * 400 + 1, i)));
    queues.forEach((queue, i) => {
      const target = Buffer.alloc(queue.bytes);
      queue.copyTo(target, 0, target.length);
      expect(target.equals(patterned(round * 400 + 1, i))).toBe(true);
    });
  }
});

test("SlabQueue: what leaves at once lies in large pieces, what stays in pieces that are nearly full", () => {
  const queue = new SlabQueue();
  queue.push(patterned(60_000, 1), true);
  queue.push(patterned(70_000, 2));
  const sizes: number[] = [];
  for (let piece = queue.takePiece(); piece; piece = queue.takePiece()) {
    sizes.push(piece.memory.length);
    givePiece(piece);
  }
  expect(sizes).toEqual([65_536, 16_384, 16_384, 16_384, 16_384]);
});

test("SlabQueue: few bytes take a small piece, and clear() leaves nothing", () => {
  const queue = new SlabQueue();
  queue.push(patterned(100, 1));
  expect(queue.takePiece()?.memory.length).toBe(4096);
  queue.push(patterned(100_000, 1));
  queue.clear();
  expect([queue.bytes, queue.takePiece()]).toEqual([0, undefined]);
});
