import { once } from "node:events";
import { type ClientHttp2Session, connect, type OutgoingHttpHeaders } from "node:http2";
import { type AddressInfo, createServer } from "node:net";
import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { sized } from "../../test/soak.ts";
import { type Frame, FrameReader } from "./frame-reader.ts";
import { HpackDecoder } from "./hpack-decoder.ts";
import { Http2Error } from "./http2-error.ts";
import { FRAME } from "./protocol.ts";

const LISTS = { bytes: 16_384, fields: 32 };

/** Mutated blocks. */
const FUZZ_RUNS = sized(50_000, 10_000_000);

type Fields = readonly (readonly [string, string])[];

const GET_HTTP: Fields = [
  [":method", "GET"],
  [":scheme", "http"],
  [":path", "/"],
  [":authority", "www.example.com"],
];
const GET_NO_CACHE: Fields = [...GET_HTTP, ["cache-control", "no-cache"]];
const GET_HTTPS: Fields = [
  [":method", "GET"],
  [":scheme", "https"],
  [":path", "/index.html"],
  [":authority", "www.example.com"],
  ["custom-key", "custom-value"],
];
const FOUND: Fields = [
  [":status", "302"],
  ["cache-control", "private"],
  ["date", "Mon, 21 Oct 2013 20:13:21 GMT"],
  ["location", "https://www.example.com"],
];
const FOUND_307: Fields = [[":status", "307"], ...FOUND.slice(1)];
const WITH_COOKIE: Fields = [
  [":status", "200"],
  ["cache-control", "private"],
  ["date", "Mon, 21 Oct 2013 20:13:22 GMT"],
  ["location", "https://www.example.com"],
  ["content-encoding", "gzip"],
  ["set-cookie", "foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1"],
];
/** The examples of C.5 and C.6 have a table of 256 octets. */
const TABLE_OF_256 = "3fe101";

/** RFC 7541 appendix C: blocks of one connection, in order. */
const VECTORS: readonly (readonly [string, readonly (readonly [string, Fields])[]])[] = [
  [
    "C.2.1",
    [["400a637573746f6d2d6b65790d637573746f6d2d686561646572", [["custom-key", "custom-header"]]]],
  ],
  ["C.2.2", [["040c2f73616d706c652f70617468", [[":path", "/sample/path"]]]]],
  ["C.2.3", [["100870617373776f726406736563726574", [["password", "secret"]]]]],
  ["C.2.4", [["82", [[":method", "GET"]]]]],
  [
    "C.3",
    [
      ["828684410f7777772e6578616d706c652e636f6d", GET_HTTP],
      ["828684be58086e6f2d6361636865", GET_NO_CACHE],
      ["828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565", GET_HTTPS],
    ],
  ],
  [
    "C.4",
    [
      ["828684418cf1e3c2e5f23a6ba0ab90f4ff", GET_HTTP],
      ["828684be5886a8eb10649cbf", GET_NO_CACHE],
      ["828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf", GET_HTTPS],
    ],
  ],
  [
    "C.5",
    [
      [
        `${TABLE_OF_256}4803333032580770726976617465611d4d6f6e2c203231204f637420323031332032303a31333a323120474d546e1768747470733a2f2f7777772e6578616d706c652e636f6d`,
        FOUND,
      ],
      ["4803333037c1c0bf", FOUND_307],
      [
        "88c1611d4d6f6e2c203231204f637420323031332032303a31333a323220474d54c05a04677a69707738666f6f3d4153444a4b48514b425a584f5157454f50495541585157454f49553b206d61782d6167653d333630303b2076657273696f6e3d31",
        WITH_COOKIE,
      ],
    ],
  ],
  [
    "C.6",
    [
      [
        `${TABLE_OF_256}488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff6e919d29ad171863c78f0b97c8e9ae82ae43d3`,
        FOUND,
      ],
      ["4883640effc1c0bf", FOUND_307],
      [
        "88c16196d07abe941054d444a8200595040b8166e084a62d1bffc05a839bd9ab77ad94e7821dd7f2e6c7b335dfdfcd5b3960d5af27087f3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007",
        WITH_COOKIE,
      ],
    ],
  ],
];

for (const [section, blocks] of VECTORS) {
  test(`decode(): the example of RFC 7541 ${section}`, () => {
    const decoder = new HpackDecoder(LISTS);
    for (const [hex, fields] of blocks) {
      expect(decoder.decode(Buffer.from(hex, "hex"))).toEqual({
        fields: fields.flat(),
        // The one that says so.
        secret: section === "C.2.3" ? ["password"] : undefined,
        isTooLarge: false,
      });
    }
  });
}

const BROKEN: readonly (readonly [string, string])[] = [
  ["index 0", "80"],
  ["an index beyond both tables", "be"],
  ["an integer without its end", "ff"],
  ["an integer of five octets", "ffffffffff0f"],
  ["a string beyond its block", "000a6162"],
  ["Huffman padded with zeros", "00818c00"],
  ["Huffman padded with eight bits", "0082f8ff00"],
  ["EOS within a string", "0084fffffffc00"],
  ["a table larger than was offered", "3fe21f"],
  ["a table size within a block", "8220"],
  ["three table sizes", "202020"],
];

for (const [what, hex] of BROKEN) {
  test(`decode(): ${what} is a COMPRESSION_ERROR`, () => {
    const caught = errorOf(() => new HpackDecoder(LISTS).decode(Buffer.from(hex, "hex")));
    expect(caught).toMatchObject({ reason: "http2_protocol_error", code: 9 });
  });
}

function errorOf(work: () => unknown): unknown {
  try {
    work();
  } catch (error) {
    return error;
  }
  return undefined;
}

test("decode(): an entry that is named ten thousand times makes no list of ten thousand", () => {
  const decoder = new HpackDecoder(LISTS);
  const value = "v".repeat(3_900);
  decoder.decode(Buffer.concat([Buffer.from("400178" + "7fbd1d", "hex"), Buffer.from(value)]));
  const bomb = decoder.decode(Buffer.alloc(10_000, 0xbe));
  expect(bomb.isTooLarge).toBe(true);
  expect(bomb.fields.length).toBeLessThanOrEqual(8);
  // The table is still the peer's.
  expect(decoder.decode(Buffer.of(0xbe))).toEqual({ fields: ["x", value], isTooLarge: false });
});

/** What node:http2, which is nghttp2, makes of these requests: each as its block. */
async function encodedByNghttp2(requests: readonly OutgoingHttpHeaders[]): Promise<Buffer[]> {
  const blocks: Buffer[] = [];
  const { promise: all, resolve } = Promise.withResolvers<void>();
  const sink = {
    onDataBegin: () => undefined,
    onDataChunk: () => undefined,
    onDataEnd: () => undefined,
    onFrame({ type, payload }: Frame): void {
      if (type === FRAME.headers) blocks.push(payload);
      if (blocks.length === requests.length) resolve();
    },
  };
  const server = createServer((socket) => {
    const reader = new FrameReader(sink, { expectsPreface: true, maxFrameBytes: 1 << 18 });
    socket.on("data", (chunk: Buffer) => reader.feed(chunk));
    socket.on("error", () => undefined);
    socket.write(Buffer.from("000000040000000000", "hex"));
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const client: ClientHttp2Session = connect(
    `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
  );
  client.on("error", () => undefined);
  for (const headers of requests) client.request(headers).on("error", () => undefined);
  await all;
  client.destroy();
  await new Promise((done) => server.close(done));
  return blocks;
}

const TEXT = fc.string({
  unit: fc.integer({ min: 33, max: 126 }).map((c) => String.fromCharCode(c)),
  maxLength: 60,
});
const NAME = fc.stringMatching(/^[a-z][a-z0-9-]{0,20}$/).map((name) => `x-${name}`);
const REQUEST = fc.dictionary(NAME, TEXT, { maxKeys: 12 });

test("decode(): what nghttp2 encodes, with its table and Huffman, comes out as it went in", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(REQUEST, { minLength: 1, maxLength: 12 }), async (extras) => {
      const requests = extras.map((extra) => ({
        ":method": "CONNECT",
        ":authority": "10.0.0.1:80",
        ...extra,
      }));
      const decoder = new HpackDecoder(LISTS);
      const decoded = (await encodedByNghttp2(requests)).map((block) => {
        const { fields } = decoder.decode(block);
        return Object.fromEntries(
          Array.from({ length: fields.length / 2 }, (_, i) => [fields[2 * i], fields[2 * i + 1]]),
        );
      });
      expect(decoded).toEqual(requests.map((request) => ({ ...request })));
    }),
    { numRuns: 25 },
  );
});

test(
  "decode(): mutated blocks are read or refused, and leave nothing large behind",
  () => {
    const seeds = VECTORS.flatMap(([, blocks]) => blocks.map(([hex]) => Buffer.from(hex, "hex")));
    let state = 12_345;
    function random(below: number): number {
      // Marsaglia's xorshift: the same blocks in each run.
      state ^= state << 13;
      state ^= state >>> 17;
      state ^= state << 5;
      return (state >>> 0) % below;
    }
    let decoder = new HpackDecoder(LISTS);
    let refused = 0;
    for (let run = 0; run < FUZZ_RUNS; run += 1) {
      const seed = seeds[random(seeds.length)] ?? Buffer.alloc(0);
      const block = Buffer.concat([seed, seed.subarray(random(seed.length))]);
      for (let i = random(4); i >= 0; i -= 1) block[random(block.length)] = random(256);
      try {
        const { fields } = decoder.decode(block.subarray(0, random(block.length + 1)));
        if (fields.length > 66) throw new Error("more fields than are taken");
      } catch (error) {
        if (!(error instanceof Http2Error)) throw error;
        refused += 1;
        decoder = new HpackDecoder(LISTS);
      }
    }
    expect(refused).toBeGreaterThan(FUZZ_RUNS / 10);
    expect(refused).toBeLessThan(FUZZ_RUNS);
  },
  sized(120_000, 3_600_000),
);
