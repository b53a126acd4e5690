/**
 * Attacks of a server on those who call it, of group D of the list of attacks: answers that two readers could take for two
 * different ones, or for somebody else's, through two node proxies.
 */
import { once } from "node:events";
import type { Socket } from "node:net";
import { afterAll, beforeAll, beforeEach, expect, test } from "@jest/globals";
import { until } from "../world/until.ts";
import { ask, type RawAnswer, requestText } from "./http-requests.ts";
import { createTwoFronts, FRONTS, type Front, type TwoFronts } from "./two-fronts.ts";

const OK = "HTTP/1.1 200 OK\r\n";
const EVIL = `${OK}content-length: 4\r\nx-evil: yes\r\n\r\nevil`;
const CHUNKED = "transfer-encoding: chunked\r\n";
let fronts: TwoFronts;
/** What the application says to these, as it stands; to all others their own path. */
const answers = new Map<string, string>();
/** Paths of requests, in order. */
const seen: string[] = [];
/** Octets behind a head, of whatever kind. */
const behind: string[] = [];
/** The connection that the last of each path came by. */
const carriers = new Map<string, Socket>();
/** Holds the answer to `/held` back. */
let release: (() => void) | undefined;

beforeAll(async () => {
  fronts = await createTwoFronts("wa-answer", "http1", serve);
});

beforeEach(() => {
  answers.clear();
  seen.length = 0;
  behind.length = 0;
  release = undefined;
});

afterAll(async () => {
  await fronts[Symbol.asyncDispose]();
});

function serve(socket: Socket): void {
  let rest = "";
  socket.setEncoding("latin1").on("end", () => socket.end());
  socket.on("data", (text: string) => {
    rest += text;
    for (let end = rest.indexOf("\r\n\r\n"); end >= 0; end = rest.indexOf("\r\n\r\n")) {
      const [, path = ""] = /^\S+ (\S+) /.exec(rest) ?? [];
      rest = rest.slice(end + 4);
      seen.push(path);
      carriers.set(path, socket);
      say(socket, path);
    }
    if (rest !== "") behind.push(rest);
  });
}

function say(socket: Socket, path: string): void {
  const text = answers.get(path) ?? `${OK}content-length: ${path.length}\r\n\r\n${path}`;
  if (path === "/held") release = () => socket.write(text, "latin1");
  else socket.write(text, "latin1");
}

async function send(front: Front, target: string, method = "GET"): Promise<RawAnswer> {
  return ask(fronts.dial(front), requestText({ target, method }));
}

/** All that comes, however it ends, of a client that sends no more. */
async function hear(front: Front, text: string): Promise<string> {
  const socket = fronts.dial(front);
  let all = "";
  socket.setEncoding("latin1").on("data", (chunk: string) => {
    all += chunk;
  });
  const closed = new Promise((resolve) => socket.once("close", resolve));
  socket.end(text);
  await closed;
  return all;
}

/** Whatever a server said before, the next request gets the answer to itself, and nothing of another's. */
async function nextIsItself(front: Front): Promise<void> {
  for (const path of ["/next", "/after"]) {
    const { status, head, body } = await send(front, path);
    expect([status, body]).toEqual([200, path]);
    expect(head).not.toContain("evil");
  }
}

/** No answer of a server: 502, and nothing of it to the caller. */
const NONE: readonly (readonly [name: string, answer: string])[] = [
  ["two lengths", `${OK}content-length: 0\r\ncontent-length: 4\r\n\r\nevil`],
  ["the same length twice", `${OK}content-length: 4\r\ncontent-length: 4\r\n\r\nevil`],
  ["a list of lengths", `${OK}content-length: 4, 4\r\n\r\nevil`],
  ["a length with a sign", `${OK}content-length: +4\r\n\r\nevil`],
  ["a length and a coding", `${OK}content-length: 4\r\n${CHUNKED}\r\n0\r\n\r\n`],
  ["two codings", `${OK}${CHUNKED}${CHUNKED}\r\n0\r\n\r\n`],
  ["an unknown coding", `${OK}transfer-encoding: evil\r\n\r\nevil`],
  ["chunks of HTTP/1.0", `HTTP/1.0 200 OK\r\n${CHUNKED}\r\n0\r\n\r\n`],
  ["a bare LF", `HTTP/1.1 200 OK\nx-evil: yes\ncontent-length: 0\n\n`],
  ["a bare CR", `${OK}x-a: b\rx-evil: yes\r\ncontent-length: 0\r\n\r\n`],
  ["a folded line", `${OK}x-a: b\r\n x-evil: yes\r\ncontent-length: 0\r\n\r\n`],
  ["a space before a colon", `${OK}content-length : 4\r\n\r\nevil`],
  ["NUL", `${OK}x-evil: a\0b\r\ncontent-length: 0\r\n\r\n`],
  ["another version", `HTTP/2.0 200 OK\r\nx-evil: yes\r\ncontent-length: 0\r\n\r\n`],
  ["a Host", `${OK}host: evil\r\ncontent-length: 0\r\n\r\n`],
  ["a status of two digits", `HTTP/1.1 99 OK\r\nx-evil: yes\r\ncontent-length: 0\r\n\r\n`],
  ["a head of 128 KB", `${OK}x-evil: ${"a".repeat(1 << 17)}\r\ncontent-length: 0\r\n\r\n`],
  ["200 lines", `${OK}${"x-evil: a\r\n".repeat(200)}content-length: 0\r\n\r\n`],
  ["1xx without end", "HTTP/1.1 103 Early Hints\r\n\r\n".repeat(100)],
  [
    "101 that nobody asked for",
    `HTTP/1.1 101 Evil\r\nupgrade: evil\r\nconnection: upgrade\r\n\r\nevil`,
  ],
];

test.each(NONE.flatMap(([name, text]) => FRONTS.map((front) => [name, front, text] as const)))(
  "attack 58: an answer with %s is none, for callers first heard at the %s's node",
  async (...[, front, text]) => {
    answers.set("/bad", text);
    const { status, reason, head, body } = await send(front, "/bad");
    // Interim answers that came before it was too much have gone on.
    const last = `${head}\r\n\r\n${body}`.split(/(?<=\r\n\r\n)(?=HTTP)/).at(-1) ?? "";
    expect(status === 103 ? last : `HTTP/1.1 ${status}`).toMatch(/^HTTP\/1\.1 502/);
    expect(status === 103 ? last : reason).toContain("upstream_response_invalid");
    expect(`${head}${body}`).not.toContain("evil");
    await nextIsItself(front);
    expect(seen.filter((path) => path === "/bad")).toHaveLength(1);
  },
);

/** One answer ends where its head says; what is behind it is nobody's. */
const TOO_MUCH: readonly (readonly [
  name: string,
  method: string,
  answer: string,
  status: number,
])[] = [
  ["a length of 0", "GET", `${OK}content-length: 0\r\n\r\n${EVIL}`, 200],
  ["chunks", "GET", `${OK}${CHUNKED}\r\n0\r\n\r\n${EVIL}`, 200],
  ["204", "GET", `HTTP/1.1 204 No Content\r\ncontent-length: ${EVIL.length}\r\n\r\n${EVIL}`, 204],
  ["204 and chunks", "GET", `HTTP/1.1 204 No Content\r\n${CHUNKED}\r\n${EVIL}`, 204],
  ["304", "GET", `HTTP/1.1 304 Not Modified\r\ncontent-length: ${EVIL.length}\r\n\r\n${EVIL}`, 304],
  ["HEAD", "HEAD", `${OK}content-length: ${EVIL.length}\r\n\r\n${EVIL}`, 200],
  ["HEAD and chunks", "HEAD", `${OK}${CHUNKED}\r\n${EVIL}`, 200],
];

test.each(TOO_MUCH.flatMap((row) => FRONTS.map((front) => [row[0], front, row] as const)))(
  "attack 58: what lies behind an answer of %s is nobody's, for callers first heard at the %s's node",
  async (...[, front, [, method, text, status]]) => {
    answers.set("/much", text);
    const got = await send(front, "/much", method);
    expect([got.status, got.body.replace("0\r\n\r\n", "")]).toEqual([status, ""]);
    expect(got.head).not.toContain("evil");
    await nextIsItself(front);
  },
);

test.each(FRONTS)(
  "attack 58: chunks that are none cut the caller off, first heard at the %s's node",
  async (front) => {
    answers.set("/cut", `${OK}${CHUNKED}\r\n4\r\ngood\r\nxyz\r\nevil`);
    // Reset, so that nobody takes it for whole; what was on its way may be lost with it.
    const text = await hear(front, requestText({ target: "/cut" }));
    expect(text).not.toMatch(/evil|0\r\n\r\n$/);
    // Of a GET that was lost there is another try.
    expect(new Set(seen)).toEqual(new Set(["/cut"]));
    await nextIsItself(front);
  },
);

test.each(FRONTS)(
  "attack 59: an answer that comes when its caller is gone is nobody's, first heard at the %s's node",
  async (front) => {
    const gone = fronts.dial(front);
    gone.write(requestText({ target: "/held" }));
    const answer = await until("the request to be held", () => release);
    gone.destroy();
    await nextIsItself(front);
    answer();
    await nextIsItself(front);
    expect(seen).toEqual(["/held", "/next", "/after", "/next", "/after"]);
  },
);

test.each(FRONTS)(
  "attack 59: an answer before its request is nobody's, first heard at the %s's node",
  async (front) => {
    await nextIsItself(front);
    // Each connection that the proxies keep has one waiting.
    const kept = fronts.accepted.filter((socket) => !socket.destroyed);
    expect(kept.length).toBeGreaterThan(0);
    for (const socket of kept) socket.write(EVIL);
    await until("them to be ended", () => kept.every(({ destroyed }) => destroyed) || undefined);
    await nextIsItself(front);
  },
);

function upgradeTo(target: string): string {
  const lines = ["upgrade: websocket", "connection: upgrade"];
  return requestText({ target, lines }).replace("connection: close\r\n", "");
}

test.each(FRONTS)(
  "attack 57: what follows an Upgrade that was not granted is a request like any, first heard at the %s's node",
  async (front) => {
    const early = requestText({ target: "/early" });
    const all = await hear(front, upgradeTo("/plain") + early);
    expect(all.match(/HTTP\/1\.1 200/g)).toHaveLength(2);
    expect([seen, behind]).toEqual([["/plain", "/early"], []]);
  },
);

test.each(FRONTS)(
  "attack 57: what is sent early reaches a server that changes its protocol, and no other, first heard at the %s's node",
  async (front) => {
    const granted =
      "HTTP/1.1 101 Switching\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\nhello";
    answers.set("/chat", granted);
    const socket = fronts.dial(front);
    let said = "";
    socket.setEncoding("latin1").on("data", (text: string) => {
      said += text;
    });
    socket.write(`${upgradeTo("/chat")}early`);
    await until(
      "both to be heard",
      () => (said.endsWith("hello") && behind.length > 0) || undefined,
    );
    expect([said.match(/^HTTP\/1\.1 101/gm)?.length, behind, seen]).toEqual([
      1,
      ["early"],
      ["/chat"],
    ]);
    const closed = once(socket, "close");
    socket.end();
    await closed;
    for (const [path, protocol] of [
      ["/other", "evil"],
      ["/none", ""],
    ] as const) {
      answers.set(path, granted.replace("upgrade: websocket", `upgrade: ${protocol}`));
      const said = await hear(front, upgradeTo(path));
      expect(said).toMatch(/^HTTP\/1\.1 502 [^]*upstream_response_invalid/);
    }
    await nextIsItself(front);
  },
);

test.each(FRONTS)(
  "attack 56: who does not read his answers has one of them on its way, first heard at the %s's node",
  async (front) => {
    const octets = 64 << 20;
    answers.set("/big", `${OK}content-length: ${octets}\r\n\r\n${"x".repeat(octets)}`);
    const socket = fronts.dial(front).pause();
    const big = requestText({ target: "/big" }).replace("connection: close", "x-a: b");
    socket.write(big.repeat(1_000));
    await until("a request", () => seen.length > 0 || undefined);
    await nextIsItself(front);
    // Not even the one has gone.
    expect(carriers.get("/big")?.writableLength).toBeGreaterThan(0);
    expect(seen.filter((path) => path === "/big")).toHaveLength(1);
    socket.destroy();
    await nextIsItself(front);
  },
);
