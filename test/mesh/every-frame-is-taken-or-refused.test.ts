/**
 * Every parser of frames and messages that others sent, fed with some hundred thousand changed ones: each is taken
 * or refused, none throws what nobody expects, none hangs, nothing becomes more than was there.
 */
import { jest } from "@jest/globals";
import { canonicalIp } from "../../core/model/ip.ts";
import { encodeFrame, FrameReader as LineReader } from "../../nodeproxy/channel/frames.ts";
import { parseFromTraffic } from "../../nodeproxy/channel/parse-from-traffic.ts";
import { LISTS } from "../../nodeproxy/hbone/announced.ts";
import { encodeRequest, encodeStatus } from "../../nodeproxy/hbone/header-encoder.ts";
import { checkRequest, requestedService } from "../../nodeproxy/health/health-message.ts";
import { FrameReader } from "../../nodeproxy/http2/frame-reader.ts";
import { HpackDecoder } from "../../nodeproxy/http2/hpack-decoder.ts";
import { Http2Error } from "../../nodeproxy/http2/http2-error.ts";
import { applySettings, DEFAULT_SETTINGS } from "../../nodeproxy/http2/peer-settings.ts";
import { areTrailers, readAnswer, readRequest } from "../../nodeproxy/http2/request-fields.ts";
import { readSocketAddress, writeSocketAddress } from "../../nodeproxy/sys/socket-address.ts";
import { mutateBytes, mutateText } from "../fakes/byte-mutation.ts";
import { pick } from "../fakes/der-mutation.ts";
import { fuzz, fuzzBytes, hold, throwsOnly } from "../fakes/fuzz.ts";
import { connectTo, FRAME, frame, headerBlock, headers } from "../netns/raw-http2.ts";
import { sized } from "../soak.ts";

jest.setTimeout(sized(600_000, 7_200_000));

function isHttp2Error(error: unknown): boolean {
  return error instanceof Http2Error;
}

const FIELDS: readonly (readonly string[])[] = [
  [":method", "CONNECT"],
  [":authority", "10.77.0.3:80"],
  [":status", "200"],
  [":path", "/"],
  [":scheme", "https"],
  ["content-length", "5"],
  ["te", "trailers"],
  ["baggage", "k8s.namespace.name=shop"],
  ["connection", "close"],
];
const FIELD_TEXTS = FIELDS.flat();

fuzz("readRequest(), readAnswer(), areTrailers()", 0.08, (random) => {
  const fields = Array.from({ length: 1 + random.below(4) }, () => [
    ...pick(random, FIELDS),
  ]).flat();
  // Half of them in an order that may be right.
  if (random.below(2) === 0) fields.unshift(":method", "CONNECT", ":authority", "10.77.0.3:80");
  const at = random.below(fields.length);
  if (random.below(3) > 0) fields[at] = mutateText(random, fields[at] ?? "", FIELD_TEXTS);
  const all = fields.join("\x01");
  const status = readAnswer(fields)?.status;
  hold(status === undefined || (status >= 100 && status <= 999), "a status", all);
  const request = readRequest(fields);
  if (!request) return areTrailers(fields) || status !== undefined ? "taken" : "refused";
  hold(!/[\0\r\n]/.test(all), "it ends a line", all);
  hold(request.method !== "CONNECT" || (request.authority ?? "") !== "", "no authority", all);
  return "taken";
});

const BLOCK_SEEDS: readonly Buffer[] = [
  encodeRequest("10.77.0.3:80", true),
  encodeStatus(200, false),
  encodeStatus(401, true),
  // With incremental indexing, in Huffman's code, and references to what was indexed: RFC 7541 C.4.1, C.4.2.
  Buffer.from("828684418cf1e3c2e5f23a6ba0ab90f4ff", "hex"),
  Buffer.from("828684be5886a8eb10649cbf", "hex"),
  Buffer.concat([
    Buffer.of(0x40),
    headerBlock([["x-name", "v".repeat(200)]]).subarray(1),
    Buffer.alloc(300, 0xbe),
  ]),
  Buffer.of(0x3f, 0xe1, 0x1f, 0x20, 0x88),
];

fuzz("HpackDecoder", 0.12, (random) =>
  throwsOnly(isHttp2Error, () => {
    const decoder = new HpackDecoder(LISTS);
    for (let i = 1 + random.below(3); i > 0; i -= 1) {
      const block = mutateBytes(random, pick(random, BLOCK_SEEDS), BLOCK_SEEDS);
      const { fields } = decoder.decode(block);
      hold(fields.join("").length <= LISTS.bytes, "a list that is too large", block);
    }
  }),
);

const FRAME_SEEDS: readonly Buffer[] = [
  Buffer.concat([
    headers(1, connectTo("10.77.0.3:80")),
    frame([FRAME.data, 1, 1], Buffer.from("octets")),
  ]),
  Buffer.concat([
    frame([FRAME.settings, 0, 0], Buffer.of(0, 4, 0, 0, 255, 255)),
    frame([FRAME.ping, 0, 0], Buffer.alloc(8)),
  ]),
  frame([FRAME.data, 8, 1], Buffer.concat([Buffer.of(3), Buffer.alloc(20)])),
  frame([99, 0, 0], Buffer.alloc(30)),
];

fuzzBytes("FrameReader of tunnels", { share: 0.1, seeds: FRAME_SEEDS }, (bytes, random) =>
  throwsOnly(isHttp2Error, () => {
    let octets = 0;
    function count({ length }: Buffer): void {
      octets += length;
    }
    const sink = {
      onDataBegin: () => undefined,
      onDataChunk: count,
      onDataEnd: () => undefined,
      onFrame: ({ payload }: { readonly payload: Buffer }) => count(payload),
    };
    const reader = new FrameReader(sink, { expectsPreface: false, maxFrameBytes: 1 << 18 });
    for (let at = 0; at < bytes.length; ) {
      const end = at + 1 + random.below(40);
      reader.feed(bytes.subarray(at, end));
      at = end;
    }
    hold(octets <= bytes.length, "more than was there", bytes);
  }),
);

const SETTINGS = Buffer.from(
  "0001000010000003000000640004000fffff00050000400000020000000000060000ffff",
  "hex",
);

fuzzBytes(
  "applySettings()",
  { share: 0.03, seeds: [SETTINGS, SETTINGS.subarray(0, 12)] },
  (bytes) =>
    throwsOnly(isHttp2Error, () => {
      const { initialWindow, maxFrame } = applySettings(DEFAULT_SETTINGS, bytes, true);
      hold(initialWindow < 2 ** 31 && maxFrame >= 16_384 && maxFrame < 2 ** 24, "a setting", bytes);
    }),
);

const MESSAGES = [
  { kind: "hello", pid: 4711 },
  { kind: "listening", uid: "uid-a" },
  { kind: "alive" },
  { kind: "metrics", id: 1, text: "weft_x 1" },
  { kind: "tunnel_issuers", issuers: [{ issuer: "ab".repeat(32), count: 3 }] },
  {
    kind: "connections",
    open: [
      {
        id: 1,
        direction: "inbound",
        workload: "uid-a",
        peer: "spiffe://cluster.local/ns/shop/sa/web",
        source: "10.0.0.1:1",
        destination: "10.0.0.2:80",
        tunnelled: true,
        sinceMs: 1,
        bytesSent: 2,
        bytesReceived: 3,
      },
    ],
  },
].map((message) => Buffer.from(JSON.stringify(message)));

fuzzBytes("parseFromTraffic()", { share: 0.06, seeds: MESSAGES }, (bytes) => {
  const message = parseFromTraffic(bytes);
  if (!message) return "refused";
  hold(parseFromTraffic(Buffer.from(JSON.stringify(message))) !== undefined, "not twice", bytes);
  return "taken";
});

const LINES = [
  MESSAGES.slice(0, 2).map((body) => encodeFrame({ body, descriptorCount: 2 })),
  MESSAGES.slice(2).map((body) => encodeFrame({ body, descriptorCount: 0 })),
].map((frames) => Buffer.concat(frames));

fuzzBytes("FrameReader of the line to control", { share: 0.05, seeds: LINES }, (bytes, random) =>
  throwsOnly(
    (error) => error instanceof RangeError,
    () => {
      const reader = new LineReader(1 << 20);
      for (let at = 0; at < bytes.length; ) {
        const end = at + 1 + random.below(300);
        reader.push(bytes.subarray(at, end));
        for (let next = reader.next(); next; next = reader.next()) parseFromTraffic(next.body);
        at = end;
      }
    },
  ),
);

const HEALTH = ["", "shop.Cart", "x".repeat(200)].map(checkRequest);

fuzzBytes("requestedService()", { share: 0.02, seeds: HEALTH }, (bytes) => {
  const service = requestedService(bytes);
  if (service === undefined) return "refused";
  hold(checkRequest(service).equals(bytes), "another request", bytes);
  return "taken";
});

const SOCKET_ADDRESSES = (["10.0.0.1", "fd77::3"] as const).map((address, i) => {
  const bytes = Buffer.alloc(28);
  writeSocketAddress(bytes, i === 0 ? 4 : 6, { address, port: 80 });
  return bytes;
});

fuzzBytes("readSocketAddress()", { share: 0.02, seeds: SOCKET_ADDRESSES }, (bytes) => {
  // The kernel writes so much, whatever it says in it.
  const whole = Buffer.concat([bytes, Buffer.alloc(28)]).subarray(0, 28);
  const { address, port } = readSocketAddress(whole);
  hold(canonicalIp(address) === address && port >= 0 && port < 65_536, "no address", whole);
  return port === 80 ? "taken" : "refused";
});
