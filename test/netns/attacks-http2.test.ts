/** HTTP/2 used as a weapon by a caller whose certificate is good: its own tunnel ends, everyone else's goes on. */
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { APP_PORT, type AttackMesh, createAttackMesh, IDENTITY_A } from "./attack-mesh.ts";
import {
  connectTo,
  END_HEADERS,
  END_STREAM,
  FRAME,
  frame,
  headerBlock,
  headers,
  RawHttp2,
  startTls,
} from "./raw-http2.ts";

const CONNECT = connectTo(`10.77.0.3:${APP_PORT}`);
/** Answered 400 at once: floods of it cost the application nothing. */
const CONNECT_OWN_PORT = connectTo("10.77.0.3:15008");
const CANCEL = Buffer.of(0, 0, 0, 8);
const FOUR_ZEROS = Buffer.alloc(4);
let attacks: AttackMesh;

beforeAll(async () => {
  attacks = await createAttackMesh("wt-ah2");
});

afterAll(async () => {
  await attacks[Symbol.asyncDispose]();
});

function longBlock(): Buffer {
  return Buffer.concat([CONNECT, headerBlock([["x", "v".repeat(200_000)]])]);
}

/** A request that is taken back at once: CVE-2023-44487. */
function reset(i: number, block: Buffer): Buffer {
  const stream = 2 * i + 1;
  return Buffer.concat([headers(stream, block), frame([FRAME.resetStream, 0, stream], CANCEL)]);
}

const FLOODS: readonly (readonly [string, number, (i: number) => Buffer])[] = [
  ["SETTINGS", 100_000, () => frame([FRAME.settings, 0, 0])],
  ["PING", 100_000, () => frame([FRAME.ping, 0, 0], Buffer.alloc(8))],
  [
    "CONTINUATION",
    20_000,
    (i) =>
      i === 0
        ? frame([FRAME.headers, 0, 1], CONNECT)
        : frame([FRAME.continuation, 0, 1], headerBlock([[`x${i}`, "v".repeat(50)]])),
  ],
  [
    "empty CONTINUATION",
    20_000,
    (i) => (i === 0 ? frame([FRAME.headers, 0, 1], CONNECT) : frame([FRAME.continuation, 0, 1])),
  ],
  [
    "one header of 200 KB",
    13,
    (i) => {
      const part = longBlock().subarray(i * 16_000, (i + 1) * 16_000);
      return frame(
        [i === 0 ? FRAME.headers : FRAME.continuation, i === 12 ? END_HEADERS : 0, 1],
        part,
      );
    },
  ],
  ["malformed requests", 5_000, (i) => headers(2 * i + 1, headerBlock([[":method", "CONNECT"]]))],
];

for (const [what, count, make] of FLOODS) {
  test(`HTTP/2: a flood of ${what} ends its own tunnel`, async () => {
    const { facts } = await attacks.refused("http2_flood", async () => {
      const tunnel = attacks.tunnel();
      await tunnel.flood(count, make);
      await tunnel.closed();
    });
    expect(facts.source.identity).toBe(IDENTITY_A);
  });
}

const FRAMES: readonly (readonly [string, Buffer])[] = [
  ["DATA on stream 0", frame([FRAME.data, 0, 0], Buffer.of(1))],
  ["HEADERS on an even stream", headers(2, CONNECT)],
  ["HEADERS on stream 0", headers(0, CONNECT)],
  ["DATA on a stream that was never opened", frame([FRAME.data, 0, 7], Buffer.of(1))],
  ["a frame larger than announced", frame([FRAME.headers, END_HEADERS, 1], Buffer.alloc(300_000))],
  ["a header block that is no HPACK", headers(1, Buffer.alloc(8, 0xff))],
  ["a window update of 0", frame([FRAME.windowUpdate, 0, 0], FOUR_ZEROS)],
  ["a window beyond 2^31", frame([FRAME.windowUpdate, 0, 0], Buffer.of(0x7f, 255, 255, 255))],
  ["CONTINUATION out of nowhere", frame([FRAME.continuation, END_HEADERS, 1], CONNECT)],
  ["padding longer than its frame", frame([FRAME.data, 8, 1], Buffer.of(200, 1))],
  ["SETTINGS of a wrong length", frame([FRAME.settings, 0, 0], Buffer.of(1))],
  ["PING of a wrong length", frame([FRAME.ping, 0, 0], FOUR_ZEROS)],
];

for (const [what, bytes] of FRAMES) {
  test(`HTTP/2: ${what} ends its own tunnel`, async () => {
    await attacks.refused("http2_protocol_error", async () => {
      const tunnel = attacks.tunnel().send(bytes);
      expect(await tunnel.answer(9)).toMatch(/^goaway [1-9]/);
      tunnel.destroy();
    });
  });
}

test("HTTP/2: requests that are malformed or for our own ports end their tunnel after 1,000", async () => {
  const { mesh } = attacks;
  const told = mesh.b.ended.length;
  await attacks.refused("own_port", async () => {
    const tunnel = attacks.tunnel();
    await tunnel.flood(100_000, (i) => reset(i, CONNECT_OWN_PORT));
    await tunnel.closed();
  });
  const codes = mesh.b.ended.slice(told).map(({ outcome }) => outcome.code);
  expect(codes.filter((code) => code === "own_port").length).toBeLessThan(3_000);
});

test("HTTP/2: rapid reset leaves nothing open and nobody waiting", async () => {
  const { mesh, seen } = attacks;
  const told = mesh.b.ended.length;
  const tunnel = attacks.tunnel();
  const flood = tunnel.flood(5_000, (i) => reset(i, CONNECT));
  await attacks.stillServes();
  await flood;
  while (mesh.b.ended.length - told < 5_000) await mesh.b.nextEnded();
  const codes = new Set(mesh.b.ended.slice(told).map(({ outcome }) => outcome.code));
  // The one of "" is the call of pod a. A reset may come once its call is connected: they are read in turns.
  codes.delete("connection_reset");
  expect([...codes].toSorted()).toEqual(["", "caller_gone"]);
  expect(seen.length).toBeGreaterThan(0);
  tunnel.destroy();
});

test("HTTP/2: frames that nobody knows are ignored, as RFC 9113 4.1 asks", async () => {
  const tunnel = attacks.tunnel().send(frame([0xbe, 0xff, 0], Buffer.alloc(100)));
  tunnel.send(headers(1, CONNECT));
  expect(await tunnel.answer(1)).toBe(200);
  tunnel.destroy();
});

test("HTTP/2: a handshake and a request in segments of one byte are served like any other", async () => {
  const { node, mesh } = attacks;
  const bytewise = attacks.dial();
  bytewise.setNoDelay(true);
  const write = bytewise.write.bind(bytewise) as (chunk: Buffer) => boolean;
  bytewise.write = ((chunk: Buffer, ...rest: unknown[]) => {
    for (const byte of chunk.subarray(0, -1)) write(Buffer.of(byte));
    return Reflect.apply(write, bytewise, [chunk.subarray(-1), ...rest]) as boolean;
  }) as typeof bytewise.write;
  const tunnel = new RawHttp2(startTls(bytewise, attacks.credentials())).greet();
  tunnel.send(headers(1, CONNECT));
  expect(await tunnel.answer(1)).toBe(200);
  expect(mesh.network.b.v4).not.toBe(node.v4);
  tunnel.destroy();
});

test("HTTP/2: streams beyond 1,000 open ones are refused, told, and free again once others end", async () => {
  const { mesh } = attacks;
  const told = mesh.b.ended.length;
  const tunnel = attacks.tunnel();
  await tunnel.flood(1_010, (i) => headers(2 * i + 1, CONNECT));
  const answers = await Promise.all(
    Array.from({ length: 1_010 }, (_, i) => tunnel.answer(2 * i + 1)),
  );
  // REFUSED_STREAM, RFC 9113 8.7: the request can be asked again.
  expect(answers.filter((answer) => answer === "reset 7")).toHaveLength(10);
  const codes = mesh.b.ended.slice(told).map(({ outcome }) => outcome.code);
  expect(codes.filter((code) => code === "too_many_streams")).toHaveLength(10);
  await attacks.stillServes();
  const ended = mesh.b.nextEnded();
  tunnel.send(frame([FRAME.data, END_STREAM, 1]));
  await ended;
  tunnel.send(headers(3_001, CONNECT));
  expect(await tunnel.answer(3_001)).toBe(200);
  tunnel.destroy();
});
