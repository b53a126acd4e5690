/**
 * Attacks on where one request ends and the next begins, of group D of the list of attacks: through two node proxies, the
 * called pod's node or the caller's as the first to read them, to an application that takes for a request whatever looks
 * like one. Those by which a server attacks its callers are in `attacks-answers.test.ts`.
 */
import { afterAll, beforeAll, beforeEach, expect, test } from "@jest/globals";
import { until } from "../world/until.ts";
import { AttackedServer } from "./attacked-server.ts";
import { ask, type RawAnswer } from "./http-requests.ts";
import { createTwoFronts, FRONTS, type Front, type TwoFronts } from "./two-fronts.ts";

const HOST = "Host: api.shop\r\n";
/** Behind each: a reader that sees another end would take it for a request, or would not. */
const SECOND = `GET /second HTTP/1.1\r\n${HOST}\r\n`;
const CHUNKED = "Transfer-Encoding: chunked";
const CONFLICT = "400 content_length_with_transfer_encoding";
const CODING = "400 transfer_encoding_invalid";
const LENGTH = "400 content_length_invalid";
const TWICE = "400 content_length_duplicate";
const FIELD = "400 field_invalid";
const LINE_END = "400 line_end_invalid";
const server = new AttackedServer();
let fronts: TwoFronts;

beforeAll(async () => {
  fronts = await createTwoFronts("wa-frame", "http1", (socket) => server.take(socket));
});

beforeEach(() => {
  server.clear();
});

afterAll(async () => {
  await fronts[Symbol.asyncDispose]();
});

function get(...lines: readonly string[]): string {
  return `GET /first HTTP/1.1\r\n${HOST}${lines.map((line) => `${line}\r\n`).join("")}\r\n`;
}

function post(lines: readonly string[], body = "0\r\n\r\n"): string {
  return get(...lines).replace("GET", "POST") + body;
}

function chunked(body: string): string {
  return post([CHUNKED], body);
}

async function send(front: Front, text: string): Promise<RawAnswer> {
  return ask(fronts.dial(front), text);
}

/** A second answer would lie behind the first. */
function answersOf({ head, body }: RawAnswer): number {
  return (`${head}\r\n\r\n${body}`.match(/^HTTP\/1\.1 \d/gm) ?? []).length;
}

type Attack = readonly [name: string, text: string, verdict: string];

const HEADS: readonly Attack[] = [
  ["attack 49: CL.TE", post(["Content-Length: 4", CHUNKED]), CONFLICT],
  ["attack 49: TE.CL", post([CHUNKED, "Content-Length: 4"]), CONFLICT],
  [
    "attack 49: TE.CL, in other cases",
    post(["TRANSFER-ENCODING: CHUNKED", "content-length: 4"]),
    CONFLICT,
  ],
  ["attack 49: TE.TE, identity behind", post([`${CHUNKED}, identity`]), CODING],
  ["attack 49: TE.TE, identity before", post(["Transfer-Encoding: identity, chunked"]), CODING],
  ["attack 49: TE.TE, two lines", post([CHUNKED, CHUNKED]), CODING],
  ["attack 49: TE.TE, another behind", post([CHUNKED, "Transfer-Encoding: x"]), CODING],
  ["attack 49: TE.TE, another before", post(["Transfer-Encoding: x", CHUNKED]), CODING],
  ["attack 49: an empty list item", post(["Transfer-Encoding: ,chunked"]), CODING],
  ["attack 49: a vertical tab", post(["Transfer-Encoding: \x0bchunked"]), FIELD],
  ["attack 49: quotes", post(['Transfer-Encoding: "chunked"']), CODING],
  ["attack 49: folded", post(["Transfer-Encoding:", " chunked"]), FIELD],
  ["attack 49: xchunked", post(["Transfer-Encoding: xchunked"]), "501 transfer_encoding_unknown"],
  ["attack 50: two, the same", post(["Content-Length: 5", "Content-Length: 5"]), TWICE],
  ["attack 50: two", post(["Content-Length: 0", "Content-Length: 5"]), TWICE],
  ["attack 50: a list of the same", post(["Content-Length: 5,5"]), LENGTH],
  ["attack 50: a sign", post(["Content-Length: +5"]), LENGTH],
  ["attack 50: hexadecimal", post(["Content-Length: 0x5"]), LENGTH],
  ["attack 50: an exponent", post(["Content-Length: 5e0"]), LENGTH],
  ["attack 50: a space before the colon", post(["Content-Length : 5"]), FIELD],
  ["attack 50: a tab before the colon", post(["Content-Length\t: 5"]), FIELD],
  [
    "attack 51: a bare LF behind a field",
    `GET / HTTP/1.1\r\nHost: api.shop\nX: b\r\n\r\n`,
    LINE_END,
  ],
  ["attack 51: a bare LF at the end", `GET / HTTP/1.1\r\n${HOST}\n`, FIELD],
  ["attack 51: bare LFs alone", "GET / HTTP/1.1\nHost: api.shop\n\n", "400 request_malformed"],
  ["attack 51: a bare CR in a field", get("X: a\rY: b"), LINE_END],
  ["attack 51: CR and no LF at the end", `GET / HTTP/1.1\r\n${HOST}\rX: y\r\n\r\n`, LINE_END],
  ["attack 51: CR CR LF at the end", `GET / HTTP/1.1\r\n${HOST}\r\r\n`, LINE_END],
  [
    "attack 51: CR LF CR and a letter",
    `POST / HTTP/1.1\r\n${HOST}\rContent-Length: 5\r\n\r\n`,
    LINE_END,
  ],
  ["attack 53: another expectation", get("Expect: 200-ok"), "417 expectation_unknown"],
  ["attack 53: two expectations", get("Expect: 100-continue, x"), "417 expectation_unknown"],
  ["attack 53: it twice", get("Expect: 100-continue", "Expect: x"), "417 expectation_unknown"],
  ["attack 54: HTTP/0.9", "GET /first\r\n\r\n", "505 version_unsupported"],
  ["attack 54: HTTP/0.9 with a version", get().replace("1.1", "0.9"), "505 version_unsupported"],
  ["attack 54: HTTP/2.0", get().replace("1.1", "2.0"), "505 version_unsupported"],
  ["attack 54: HTTP/2's preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "400 http2_preface"],
  ["attack 54: TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "400 request_malformed"],
];

function atBoth(attacks: readonly Attack[]) {
  return attacks.flatMap(([name, text, verdict]) =>
    FRONTS.map((front) => [name, front, text, verdict] as const),
  );
}

test.each(atBoth(HEADS))("%s, at the %s's node", async (...[, front, text, verdict]) => {
  const answer = await send(front, text + SECOND);
  expect(`${answer.status} ${answer.reason}`).toBe(verdict);
  expect(answersOf(answer)).toBe(1);
  expect(server.heads).toEqual([]);
});

/** Of a chunked body. Its head has reached the application, which must never take the body for whole. */
const BODIES: readonly (readonly [name: string, body: string])[] = [
  ["attack 52: a line end within an extension", "1;x\na\r\n0\r\n\r\n"],
  ["attack 52: a line end within quotes", '1;x="\r\n"\r\na\r\n0\r\n\r\n'],
  ["attack 52: an extension of 1 MB", `1;${"x".repeat(1 << 20)}\r\na\r\n0\r\n\r\n`],
  ["attack 52: a size that overflows", "10000000000000001\r\na\r\n0\r\n\r\n"],
  ["attack 52: a size below 0", "-1\r\na\r\n0\r\n\r\n"],
  ["attack 52: a size of 0x", "0x1\r\na\r\n0\r\n\r\n"],
  ["attack 52: a size with a space", "1 \r\na\r\n0\r\n\r\n"],
  ["attack 52: data longer than told", "1\r\nab\r\n0\r\n\r\n"],
  ["attack 52: no line end behind data", "1\r\na0\r\n\r\n"],
  ["attack 52: no line end at the end", "0\r\nGET /second HTTP/1.1\r\nHost: api.shop\r\n\r\n"],
  ["attack 52: a length among the trailers", "0\r\nContent-Length: 5\r\n\r\n"],
  ["attack 52: a coding among the trailers", `0\r\n${CHUNKED}\r\n\r\n`],
  ["attack 51: a bare LF behind the last chunk", "0\r\n\n"],
  ["attack 51: a bare LF behind a size", "1\na\r\n0\r\n\r\n"],
  ["attack 51: a bare LF behind data", "1\r\na\n0\r\n\r\n"],
  ["attack 51: a bare CR behind a size", "1\ra\r\n0\r\n\r\n"],
];

test.each(BODIES.flatMap(([name, body]) => FRONTS.map((front) => [name, front, body] as const)))(
  "%s, at the %s's node",
  async (...[, front, body]) => {
    const answer = await send(front, chunked(body) + SECOND);
    expect(`${answer.status} ${answer.reason}`).toBe("400 body_malformed");
    expect(answersOf(answer)).toBe(1);
    expect(server.heads.join()).not.toMatch(/second|0\r\n\r\n$/);
  },
);

/** What has one reading reaches the application in words of ours, and what follows is a request of its own. */
const CARRIED: readonly (readonly [name: string, text: string, expected: string])[] = [
  [
    "attack 49: Chunked and a blank",
    post(["Transfer-Encoding: Chunked "]),
    "chunked\r\n\r\n0\r\n\r\n",
  ],
  ["attack 50: zeros before it", post(["Content-Length: 0005"]), "length: 5\r\n\r\n0\r\n\r\n"],
  ["attack 52: an extension", chunked("1;a=b\r\nx\r\n0;c\r\n\r\n"), "\r\n\r\n1\r\nx\r\n0\r\n\r\n"],
  ["attack 53: 0.CL, a body of GET", `${get("Content-Length: 3")}abc`, "length: 3\r\n\r\nabc"],
  [
    "attack 53: a body of OPTIONS",
    `${get("Content-Length: 1").replace("GET", "OPTIONS")}a`,
    "\r\n\r\na",
  ],
  [
    "attack 53: a length of HEAD",
    `${get("Content-Length: 1").replace("GET", "HEAD")}a`,
    "\r\n\r\na",
  ],
];

test.each(
  CARRIED.flatMap(([name, text, expected]) =>
    FRONTS.map((front) => [name, front, text, expected] as const),
  ),
)("%s has one reading at the %s's node", async (...[, front, text, expected]) => {
  const last = SECOND.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n");
  const answer = await send(front, text + last);
  expect(answer.status).toBe(200);
  expect(server.targets).toEqual(["/first", "/second"]);
  // By one connection or by two.
  const [first = ""] = server.heads.join("").split("GET /second");
  expect(first.endsWith(expected)).toBe(true);
});

test.each(FRONTS)(
  "attack 54: HTTP/1.0 lives on only where it asks to, at the %s's node",
  async (front) => {
    const old = get().replace("1.1", "1.0");
    const ended = await send(front, old + SECOND);
    expect([ended.status, answersOf(ended), server.targets]).toEqual([200, 1, ["/first"]]);
    server.clear();
    const kept = await send(front, get("Connection: keep-alive").replace("1.1", "1.0") + old);
    expect([answersOf(kept), server.targets]).toEqual([2, ["/first", "/first"]]);
  },
);

test.each(FRONTS)(
  "attack 53: a body that is refused while its client waits for 100 is nobody's request, at the %s's node",
  async (front) => {
    const refused = post(["Content-Length: 5", "Expect: 100-continue", "Host: b"], "") + SECOND;
    const answer = await send(front, refused);
    expect([answer.status, answersOf(answer), server.heads]).toEqual([400, 1, []]);
  },
);

test.each(FRONTS)(
  "attack 56: of bad requests without end the first is answered, at the %s's node",
  async (front) => {
    const socket = fronts.dial(front).pause();
    // More than any buffer takes; its client reads nothing.
    const bad = get("Content-Length: -1").repeat(1_000);
    for (let i = 0; i < 1_000 && !socket.closed; i += 1) {
      if (!socket.write(bad)) {
        await new Promise((resolve) => {
          socket.once("drain", resolve).once("close", resolve);
        });
      }
    }
    // What it still sends meanwhile is thrown away, and is bounded too.
    await until("the connection to be ended", () => socket.closed || undefined);
    expect(server.heads).toEqual([]);
    const { status } = await send(
      front,
      SECOND.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n"),
    );
    expect(status).toBe(200);
  },
);
