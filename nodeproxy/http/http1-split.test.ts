/** However a connection's octets are cut into reads, they are the same messages: heads, bodies, trailers, and the same end. */
import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { sized } from "../../test/soak.ts";
import type { HttpLimits } from "./http-limits.ts";
import { ChunksReader } from "./http1-chunks-reader.ts";
import { HeadReader } from "./http1-head-reader.ts";
import { readRequest } from "./http1-request.ts";

const LIMITS: HttpLimits = { headBytes: 4_096, fields: 20, headTimeoutMs: 60_000 };
/** The conversations are the same for every change, one that was once read in two ways among them; a soak takes others. */
const SEED = sized(-116_719_555, Math.trunc(Math.random() * 2 ** 31));
/** Smaller conversations that are tried when one fails: seconds of them. The seed and path that are told give it again. */
const MAX_SHRINKS = 300;

interface Message {
  readonly method: string;
  readonly target: string;
  readonly lines: readonly string[];
  /** `undefined`: none. */
  readonly body: string | undefined;
  /** Of a chunked body, where it is cut. */
  readonly cuts: readonly number[];
  readonly trailers: readonly string[];
}

const NAME = fc.stringMatching(/^x-[a-z0-9_-]{0,12}$/);
const VALUE = fc.stringMatching(/^(?:[!-~\xa1-\xff](?:[ -~\xa1-\xff]{0,12}[!-~\xa1-\xff])?)?$/);
const LINES = fc
  .array(fc.tuple(NAME, VALUE), { maxLength: 12 })
  .map((pairs): readonly string[] => pairs.flat());

const MESSAGE: fc.Arbitrary<Message> = fc.record({
  method: fc.constantFrom("GET", "POST", "PUT", "DELETE", "M-SEARCH", "PROPFIND"),
  target: fc.stringMatching(/^\/[a-z0-9/._~%-]{0,30}(?:\?[a-z0-9=&]{0,10})?$/),
  lines: LINES,
  body: fc.option(fc.string({ maxLength: 300, unit: "binary-ascii" }), { nil: undefined }),
  cuts: fc.array(fc.integer({ min: 1, max: 40 }), { maxLength: 8 }),
  trailers: LINES,
});

function isChunked({ body, cuts }: Message): boolean {
  return body !== undefined && cuts.length > 0;
}

function textOf(message: Message): string {
  const { method, target, lines, body } = message;
  const head = `${method} ${target} HTTP/1.1\r\nHost: a\r\n${linesOf(lines)}`;
  if (body === undefined) return `${head}\r\n`;
  if (!isChunked(message)) return `${head}Content-Length: ${body.length}\r\n\r\n${body}`;
  return `${head}Transfer-Encoding: chunked\r\n\r\n${chunksOf(message, body)}`;
}

function linesOf(lines: readonly string[]): string {
  let text = "";
  for (let i = 0; i < lines.length; i += 2) text += `${lines[i]}: ${lines[i + 1]} \r\n`;
  return text;
}

function chunksOf({ cuts, trailers }: Message, body: string): string {
  let text = "";
  let at = 0;
  for (let i = 0; at < body.length; i += 1) {
    const chunk = body.slice(at, at + (cuts[i] ?? body.length));
    text += `${chunk.length.toString(16)}${i % 2 === 0 ? ";a=b" : ""}\r\n${chunk}\r\n`;
    at += chunk.length;
  }
  return `${text}0\r\n${linesOf(trailers)}\r\n`;
}

/** As the engine reads, one message after another, and what stopped it. */
class Reader {
  readonly told: unknown[] = [];
  readonly #heads = new HeadReader("request", LIMITS);
  #length = 0;
  #body = "";
  #chunks: ChunksReader | undefined;
  #isOver = false;

  read(chunk: Buffer): void {
    let rest = chunk;
    while (rest.length > 0 && !this.#isOver) rest = rest.subarray(this.#take(rest));
  }

  end(): readonly unknown[] {
    this.#heads.release();
    this.#chunks?.release();
    return this.told;
  }

  #take(chunk: Buffer): number {
    if (this.#chunks) return this.#takeChunks(this.#chunks, chunk);
    if (this.#length > 0) return this.#takeLength(chunk);
    const taken = this.#heads.read(chunk);
    const head = this.#heads.takeHead();
    if (this.#heads.failure) this.#stop("head");
    if (!head) return taken;
    const request = readRequest(head);
    this.told.push(request);
    if (request.kind === "bad") this.#stop("request");
    else if (request.framing.kind === "chunked") this.#chunks = new ChunksReader(LIMITS);
    else if (request.framing.kind === "length") this.#length = request.framing.octets;
    return taken;
  }

  #takeLength(chunk: Buffer): number {
    const taken = Math.min(chunk.length, this.#length);
    this.#length -= taken;
    this.#body += chunk.toString("latin1", 0, taken);
    if (this.#length === 0) this.#endBody([]);
    return taken;
  }

  #takeChunks(chunks: ChunksReader, chunk: Buffer): number {
    const taken = chunks.read(chunk);
    this.#body += Buffer.concat(chunks.takePieces()).toString("latin1");
    if (chunks.hasFailed) this.#stop("body");
    else if (chunks.hasEnded) this.#endBody(chunks.trailers);
    return taken;
  }

  #endBody(trailers: readonly string[]): void {
    this.told.push({ body: this.#body, trailers });
    this.#body = "";
    this.#chunks = undefined;
  }

  #stop(where: string): void {
    this.told.push(where);
    this.#isOver = true;
  }
}

function readAll(bytes: Buffer, cuts: readonly number[]): readonly unknown[] {
  const reader = new Reader();
  let at = 0;
  for (const cut of cuts) {
    reader.read(Buffer.from(bytes.subarray(at, at + cut)));
    at += cut;
  }
  reader.read(bytes.subarray(Math.min(at, bytes.length)));
  return reader.end();
}

const CUTS = fc.oneof(
  fc.array(fc.integer({ min: 1, max: 60 }), { maxLength: 60 }),
  fc.constant<readonly number[]>(Array.from({ length: 3_000 }, () => 1)),
);

const CONVERSATION = fc.limitShrink(
  fc.tuple(fc.array(MESSAGE, { minLength: 1, maxLength: 5 }), CUTS),
  MAX_SHRINKS,
);
const DAMAGE = fc.tuple(
  fc.nat(),
  fc.constantFrom(..."\r\n\0 :;,\t0fx\x7f\xff".split("")),
  fc.boolean(),
);
const DAMAGED = fc.limitShrink(
  fc.tuple(
    fc.array(MESSAGE, { minLength: 1, maxLength: 3 }),
    fc.array(DAMAGE, { minLength: 1, maxLength: 3 }),
    CUTS,
  ),
  MAX_SHRINKS,
);

test("HeadReader and ChunksReader: any cut of requests one behind the other gives what was written, request for request", () => {
  fc.assert(
    fc.property(CONVERSATION, ([messages, cuts]) => {
      const told = readAll(Buffer.from(messages.map(textOf).join(""), "latin1"), cuts);
      const expected = messages.flatMap((message) => {
        const { method, lines, body, trailers } = message;
        const isCounted = body !== undefined && !isChunked(message);
        const fields = isCounted ? [...lines, "content-length", String(body.length)] : lines;
        const head = expect.objectContaining({ method, fields });
        const request = expect.objectContaining({ kind: "request", head });
        if (body === undefined || (body === "" && !isChunked(message))) return [request];
        return [request, { body, trailers: isChunked(message) ? trailers : [] }];
      });
      expect(told).toEqual(expected);
    }),
    { numRuns: sized(300, 30_000), seed: SEED },
  );
});

test("HeadReader and ChunksReader: a damaged conversation is the same one however it is cut", () => {
  fc.assert(
    fc.property(DAMAGED, ([messages, damages, cuts]) => {
      let text = messages.map(textOf).join("");
      for (const [place, octet, isInserted] of damages) {
        const at = place % text.length;
        text = text.slice(0, at) + octet + text.slice(isInserted ? at : at + 1);
      }
      const bytes = Buffer.from(text, "latin1");
      expect(readAll(bytes, cuts)).toEqual(readAll(bytes, []));
    }),
    { numRuns: sized(600, 30_000), seed: SEED },
  );
});

test("HeadReader: a head is too large at the same octet however it is cut", () => {
  for (const octets of [4_000, 4_050, 4_060, 4_070, 4_096, 4_097, 5_000]) {
    const bytes = Buffer.from(`GET / HTTP/1.1\r\nHost: a\r\nX: ${"a".repeat(octets)}\r\n\r\n`);
    const whole = readAll(bytes, []);
    for (const cut of [1, 7, 100, 4_000]) {
      const cuts = Array.from({ length: Math.ceil(bytes.length / cut) }, () => cut);
      expect(readAll(bytes, cuts)).toEqual(whole);
    }
    expect(whole[0] === "head").toBe(bytes.length > 4_096);
  }
});

const GET = "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n";
const POST = "POST /2 HTTP/1.1\r\nHost: a\r\n";
const NEXT = "GET /next HTTP/1.1\r\nHost: a\r\n\r\n";

test.each([
  ["no body", GET],
  ["a body of known length", `${POST}Content-Length: 4\r\n\r\na\r\n\n`],
  ["chunks", `${POST}Transfer-Encoding: chunked\r\n\r\n3\r\n\r\n\n\r\n0\r\n\r\n`],
  ["an extension", `${POST}Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0;x=y\r\n\r\n`],
  ["trailers", `${POST}Transfer-Encoding: chunked\r\n\r\n0\r\nX-T: v\r\nX-U:\r\n\r\n`],
])(
  "HeadReader and ChunksReader: line ends behind a request with %s are read or refused, never passed over",
  (_, first) => {
    const lineEnds: readonly (readonly [string, boolean])[] = [
      ["", true],
      ["\r\n", true],
      ["\r\n\r\n\r\n\r\n", true],
      ["\r\n\r\n\r\n\r\n\r\n", false],
      ["\n", false],
      ["\n\n", false],
      ["\r", false],
      ["\r\r\n", false],
      ["\n\r\n", false],
      ["\r\n\n", false],
    ];
    const [, ...ofFirst] = readAll(Buffer.from(NEXT + first), []);
    const [ofNext] = readAll(Buffer.from(NEXT), []);
    for (const [ends, isRead] of lineEnds) {
      const bytes = Buffer.from(first + ends + NEXT);
      const expected = [...ofFirst, isRead ? ofNext : "head"];
      expect([ends, readAll(bytes, [])]).toEqual([ends, expected]);
      const octets = Array.from(bytes, () => 1);
      expect([ends, readAll(bytes, octets)]).toEqual([ends, expected]);
      for (let cut = 1; cut < bytes.length; cut += 1) {
        expect([ends, cut, readAll(bytes, [cut])]).toEqual([ends, cut, expected]);
      }
    }
  },
);
