import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { type Frame, FrameReader, type FrameSink } from "./frame-reader.ts";
import { PREFACE } from "./protocol.ts";

/** Writes down what it is told: one line a frame, DATA put together. */
class Recorder implements FrameSink {
  readonly lines: string[] = [];
  #data: Buffer[] = [];
  #head = "";

  onDataBegin(stream: number, length: number): void {
    this.#data = [];
    this.#head = `data ${stream} ${length}`;
  }

  onDataChunk(chunk: Buffer): void {
    if (chunk.length === 0) throw new Error("an empty chunk");
    this.#data.push(chunk);
  }

  onDataEnd(isLast: boolean): void {
    this.lines.push(`${this.#head} ${Buffer.concat(this.#data).toString("hex")} ${isLast}`);
  }

  onFrame({ type, flags, stream, payload }: Frame): void {
    this.lines.push(`${type} ${flags} ${stream} ${payload.toString("hex")}`);
  }
}

function bytesOf(
  [type, flags, stream]: readonly [number, number, number],
  payload: Buffer,
): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

const PAYLOAD = fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes));
const STREAM = fc.integer({ min: 0, max: 0x7fff_ffff });
const DATA = fc.tuple(fc.boolean(), STREAM, PAYLOAD, fc.option(fc.integer({ min: 0, max: 255 })));
const FRAMES = fc.array(
  fc.oneof(
    DATA.map(([isLast, stream, payload, padding]) => {
      const end = isLast ? 1 : 0;
      const plain = padding === null;
      const whole = plain
        ? payload
        : Buffer.concat([Buffer.of(padding), payload, Buffer.alloc(padding)]);
      return {
        bytes: bytesOf([0, plain ? end : end | 8, stream], whole),
        line: `data ${stream} ${whole.length} ${payload.toString("hex")} ${isLast}`,
      };
    }),
    fc.tuple(fc.integer({ min: 1, max: 9 }), STREAM, PAYLOAD).map(([type, stream, payload]) => ({
      bytes: bytesOf([type, 0, stream], payload),
      line: `${type} 0 ${stream} ${payload.toString("hex")}`,
    })),
    fc.tuple(fc.integer({ min: 10, max: 255 }), STREAM, PAYLOAD).map(([type, stream, payload]) => ({
      bytes: bytesOf([type, 0, stream], payload),
      line: `${type} 0 ${stream} `,
    })),
  ),
  { maxLength: 12 },
);

test("feed(): whatever the cuts of the transport, the frames are the same", () => {
  fc.assert(
    fc.property(FRAMES, fc.array(fc.integer({ min: 1, max: 50 })), (frames, cuts) => {
      const all = Buffer.concat([PREFACE, ...frames.map(({ bytes }) => bytes)]);
      const recorder = new Recorder();
      const reader = new FrameReader(recorder, { expectsPreface: true, maxFrameBytes: 1 << 18 });
      let at = 0;
      for (const cut of cuts) {
        reader.feed(all.subarray(at, at + cut));
        at += cut;
      }
      reader.feed(all.subarray(at));
      expect(recorder.lines).toEqual(frames.map(({ line }) => line));
    }),
    { numRuns: 500 },
  );
});

test("feed(): DATA is handed on as it comes, without waiting for its end and without a copy", () => {
  const seen: Buffer[] = [];
  const recorder = new Recorder();
  recorder.onDataChunk = (chunk) => seen.push(chunk);
  const reader = new FrameReader(recorder, { expectsPreface: false, maxFrameBytes: 1 << 18 });
  const head = bytesOf([0, 0, 1], Buffer.alloc(100_000)).subarray(0, 9);
  const first = Buffer.concat([head, Buffer.alloc(16_000)]);
  reader.feed(first);
  expect(seen.map((chunk) => chunk.length)).toEqual([16_000]);
  expect(seen[0]?.buffer).toBe(first.buffer);
});

test("feed(): stop() from within the sink is the last of it", () => {
  const recorder = new Recorder();
  const reader = new FrameReader(recorder, { expectsPreface: false, maxFrameBytes: 1 << 18 });
  const note = recorder.onFrame.bind(recorder);
  recorder.onFrame = (frame) => {
    note(frame);
    reader.stop();
  };
  reader.feed(
    Buffer.concat([bytesOf([4, 0, 0], Buffer.alloc(0)), bytesOf([4, 0, 0], Buffer.alloc(0))]),
  );
  expect(recorder.lines).toHaveLength(1);
});
