/**
 * Mutated conversations of a caller and of an application at once, through the engine: each ends, served or with a code,
 * whatever either says; nothing is thrown, every request that passed is told of once, and nothing is left behind.
 */
import { expect, test } from "@jest/globals";
import { MemorySide } from "../../test/fakes/memory-side.ts";
import { END_HEADERS, END_STREAM, FRAME, frame, headerBlock } from "../../test/netns/raw-http2.ts";
import { sized } from "../../test/soak.ts";
import { serveHttp2 } from "./serve-http2.ts";

/** Conversations, each of up to 25 frames of either side. */
const RUNS = sized(3_000, 300_000);
const LIMITS = { headBytes: 65_536, fields: 100, headTimeoutMs: 60_000 };
const PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
const SETTINGS = frame([FRAME.settings, 0, 0], Buffer.of(0, 4, 0, 0, 255, 255));
const PRIORITY = Buffer.of(0, 0, 0, 3, 9);

type Field = readonly [string, string];

function post(...more: readonly Field[]): Buffer {
  return headerBlock([
    [":method", "POST"],
    [":scheme", "http"],
    [":authority", "shop"],
    [":path", "/a"],
    ...more,
  ]);
}

const TRAILERS = headerBlock([["grpc-status", "0"]]);
const EITHER: readonly Buffer[] = [
  SETTINGS,
  frame([FRAME.settings, 1, 0]),
  frame([FRAME.settings, 0, 0], Buffer.of(0, 1, 0, 0, 0, 0, 0, 4, 0, 0, 0, 3)),
  frame([FRAME.data, 0, 1], Buffer.alloc(300, "data")),
  frame([FRAME.data, 8, 1], Buffer.concat([Buffer.of(3), Buffer.alloc(20)])),
  frame([FRAME.data, END_STREAM, 1], Buffer.from("last")),
  frame([FRAME.data, END_STREAM, 3], Buffer.alloc(0)),
  frame([FRAME.headers, END_HEADERS | END_STREAM, 1], TRAILERS),
  frame([FRAME.resetStream, 0, 1], Buffer.of(0, 0, 0, 8)),
  frame([FRAME.resetStream, 0, 3], Buffer.of(0, 0, 0, 0)),
  frame([FRAME.windowUpdate, 0, 1], Buffer.of(0, 0, 255, 255)),
  frame([FRAME.windowUpdate, 0, 0], Buffer.of(0, 0, 255, 255)),
  frame([FRAME.ping, 0, 0], Buffer.alloc(8)),
  frame([FRAME.ping, 1, 0], Buffer.alloc(8)),
  frame([FRAME.goAway, 0, 0], Buffer.from("0000000100000000", "hex")),
  frame([FRAME.priority, 0, 1], PRIORITY),
  frame([99, 0, 0], Buffer.alloc(5)),
];
const CALLER: readonly Buffer[] = [
  ...EITHER,
  frame([FRAME.headers, END_HEADERS, 1], post()),
  frame([FRAME.headers, END_HEADERS | END_STREAM, 1], post(["content-type", "application/grpc"])),
  frame([FRAME.headers, END_HEADERS, 3], post(["content-length", "4"])),
  frame([FRAME.headers, END_HEADERS | END_STREAM, 5], post(["cookie", "a"], ["cookie", "b"])),
  frame([FRAME.headers, 0, 7], post()),
  frame([FRAME.continuation, END_HEADERS, 7], headerBlock([["x", "y"]])),
  frame(
    [FRAME.headers, END_HEADERS | END_STREAM | 0x28, 9],
    Buffer.concat([Buffer.of(2), PRIORITY, post(), Buffer.alloc(2)]),
  ),
];
const APPLICATION: readonly Buffer[] = [
  ...EITHER,
  frame([FRAME.headers, END_HEADERS, 1], Buffer.of(0x88)),
  frame([FRAME.headers, END_HEADERS, 3], Buffer.of(0x88)),
  frame([FRAME.headers, END_HEADERS | END_STREAM, 3], headerBlock([[":status", "503"]])),
  frame([FRAME.headers, END_HEADERS, 1], headerBlock([[":status", "103"]])),
  frame(
    [FRAME.headers, END_HEADERS, 1],
    headerBlock([
      [":status", "200"],
      ["content-length", "4"],
    ]),
  ),
];

const OPENED = Buffer.concat([
  frame([FRAME.headers, END_HEADERS, 1], post()),
  frame([FRAME.headers, END_HEADERS, 3], post()),
]);
const ANSWERED = frame([FRAME.headers, END_HEADERS, 1], Buffer.of(0x88));

let state = 4_711;

/** Marsaglia's xorshift: the same conversations in each run. */
function random(below: number): number {
  state ^= state << 13;
  state ^= state >>> 17;
  state ^= state << 5;
  return (state >>> 0) % below;
}

/** `first`: what makes most of the others lawful. */
function conversation(frames: readonly Buffer[], first: Buffer): Buffer {
  const said = Array.from({ length: 1 + random(25) }, () => frames[random(frames.length)]);
  const begun = random(8) === 0 ? [SETTINGS] : [SETTINGS, first];
  const bytes = Buffer.concat([...begun, ...said.map((one) => one ?? SETTINGS)]);
  // Half of them only in their order.
  for (let i = random(8) - 4; i > 0; i -= 1) bytes[random(bytes.length)] = random(256);
  return bytes;
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

interface Told {
  passed: number;
  done: number;
  held: number;
  ended: number;
  readonly refusals: string[];
}

async function converse(): Promise<Told> {
  const told: Told = { passed: 0, done: 0, held: 0, ended: 0, refusals: [] };
  const front = new MemorySide();
  const backs: MemorySide[] = [];
  const served = serveHttp2(front.side, {
    limits: LIMITS,
    gate: (head) => {
      if (random(8) === 0)
        return { kind: "refuse", status: 403, reason: "denied", body: "no", fields: [] };
      told.passed += 1;
      let forbid: (() => void) | undefined;
      if (random(8) === 0) setImmediate(() => forbid?.());
      return {
        kind: "pass",
        head,
        hold: (end) => {
          told.held += 1;
          forbid = end;
          return () => {
            told.held -= 1;
            forbid = undefined;
          };
        },
        done: () => {
          told.done += 1;
        },
      };
    },
    dial: (onDone) => {
      const back = new MemorySide();
      backs.push(back);
      process.nextTick(() => onDone(random(8) === 0 ? "connect_refused" : undefined));
      return back.side;
    },
    refused: (reason) => told.refusals.push(reason),
    ended: () => {
      told.ended += 1;
    },
  });
  const said = Buffer.concat([PREFACE, conversation(CALLER, OPENED)]);
  let answers = conversation(APPLICATION, ANSWERED);
  for (let at = 0; at < said.length; ) {
    const end = at + 1 + random(400);
    front.put(said.subarray(at, end));
    at = end;
    if (random(2) === 0) await nextTurn();
    const cut = random(answers.length + 1);
    backs.at(-1)?.put(answers.subarray(0, cut));
    if (backs.length > 0) answers = answers.subarray(cut);
    if (random(40) === 0) backs.at(-1)?.lose();
  }
  await nextTurn();
  if (random(4) === 0) served.drain();
  if (random(4) === 0) front.lose();
  else served.end();
  await nextTurn();
  for (const side of [front, ...backs]) side.lose();
  await nextTurn();
  await nextTurn();
  return told;
}

test(
  "serveHttp2(): whatever a caller and an application say",
  async () => {
    let accused = 0;
    let passed = 0;
    const wrong: Told[] = [];
    for (let run = 0; run < RUNS; run += 1) {
      const told = await converse();
      if (told.refusals.includes("http2_protocol_error")) accused += 1;
      passed += told.passed;
      if (told.done !== told.passed || told.held !== 0 || told.ended !== 1) wrong.push(told);
    }
    expect(wrong).toEqual([]);
    expect(passed).toBeGreaterThan(RUNS / 2);
    expect(accused).toBeGreaterThan(RUNS / 10);
    expect(accused).toBeLessThan(RUNS);
  },
  sized(300_000, 7_200_000),
);
