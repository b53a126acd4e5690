/**
 * Node's own HTTP/1 parser (llhttp), typed. The one place that knows its hooks and its words.
 *
 * It has no public name: `node:_http_common` is what Node's servers take it from. Strict throughout. Parsers live in
 * native memory until they are closed, so a few are kept and used again: each is asked to read one message at most.
 */
import { createRequire } from "node:module";

interface Hooks {
  readonly REQUEST: number;
  readonly RESPONSE: number;
  readonly kOnHeaders: number;
  readonly kOnHeadersComplete: number;
  readonly kOnBody: number;
  readonly kOnMessageComplete: number;
  readonly kLenientNone: number;
  new (): NativeParser;
}

interface NativeParser {
  initialize(kind: number, resource: object, maxHeadBytes: number, leniency: number): void;
  /** Octets taken, or an error with `bytesParsed`. */
  execute(chunk: Uint8Array): number | NativeError;
  close(): void;
  [hook: number]: unknown;
  /** Whoever is told of what it reads. */
  listener?: MessageListener | undefined;
}

interface NativeError extends Error {
  readonly code: string;
  readonly reason: string;
  readonly bytesParsed: number;
}

/** Called within `read` only. */
export interface MessageListener {
  /** Some of a long head's lines, before `onHead`, with its target; else the trailers. */
  onFields(lines: readonly string[], target: string): void;
  /** `lines` where there were none before. True: what follows is the caller's own, and reading stops here. */
  onHead(line: HeadLine, lines: readonly string[] | undefined): boolean;
  /** Memory of its own. */
  onBody(chunk: Buffer): void;
  onMessageEnd(): void;
}

export interface HeadLine {
  readonly major: number;
  readonly minor: number;
  /** "" where the method is none of HTTP's, and in a response. */
  readonly method: string;
  /** As sent; `undefined` in a response, and where `onFields` was told before. */
  readonly target: string | undefined;
  /** 0 in a request. */
  readonly status: number;
}

/** llhttp's own code and words. */
export interface ParseFailure {
  readonly code: string;
  readonly words: string;
  /** Octets before that which was wrong. */
  readonly at: number;
}

const { HTTPParser, methods } = createRequire(import.meta.url)("node:_http_common") as {
  readonly HTTPParser: Hooks;
  readonly methods: readonly string[];
};

const KEPT = 64;
const idle: NativeParser[] = [];
/** Inspectors are told that parsers belong to it. */
const RESOURCE = {};
/** By the number that the parser calls them. */
const methodNames: readonly string[] = learnMethods();

/** Reads one message. To be released. */
export class MessageParser {
  readonly #native: NativeParser;

  constructor(kind: "request" | "response", listener: MessageListener, limitBytes: number) {
    this.#native = idle.pop() ?? createParser();
    this.#native.listener = listener;
    const number = kind === "request" ? HTTPParser.REQUEST : HTTPParser.RESPONSE;
    this.#native.initialize(number, RESOURCE, limitBytes, HTTPParser.kLenientNone);
  }

  /** How many octets it took, or what is wrong with them: then it reads no more. */
  read(chunk: Buffer): number | ParseFailure {
    const result = this.#native.execute(chunk);
    if (typeof result === "number") return result;
    return { code: result.code, words: result.reason, at: result.bytesParsed };
  }

  /** Not from within `read`. */
  release(): void {
    this.#native.listener = undefined;
    if (idle.length < KEPT) idle.push(this.#native);
    else this.#native.close();
  }
}

function createParser(): NativeParser {
  const parser = new HTTPParser();
  parser[HTTPParser.kOnHeaders] = onFields;
  parser[HTTPParser.kOnHeadersComplete] = onHead;
  parser[HTTPParser.kOnBody] = onBody;
  parser[HTTPParser.kOnMessageComplete] = onMessageEnd;
  return parser;
}

/** In the parser's order: major, minor, lines, method, target, status; what follows is not asked for. */
type HeadArguments = readonly [
  number,
  number,
  readonly string[] | undefined,
  number | undefined,
  string | undefined,
  number | undefined,
  ...unknown[],
];

function onFields(this: NativeParser, lines: readonly string[], target: string): void {
  this.listener?.onFields(lines, target);
}

/** What the parser is to do: 0 goes on with the body, 2 stops behind the head. */
function onHead(this: NativeParser, ...told: HeadArguments): 0 | 2 {
  const [major, minor, lines, method, target, status = 0] = told;
  const name = method === undefined ? "" : (methodNames[method] ?? "");
  return this.listener?.onHead({ major, minor, method: name, target, status }, lines) ? 2 : 0;
}

function onBody(this: NativeParser, chunk: Buffer): void {
  this.listener?.onBody(chunk);
}

function onMessageEnd(this: NativeParser): void {
  this.listener?.onMessageEnd();
}

/** The parser gives numbers, and their table is not to be had: it is asked what it calls each method that there is. */
function learnMethods(): readonly string[] {
  const names: string[] = [];
  const parser = new HTTPParser();
  for (const name of methods) {
    parser[HTTPParser.kOnHeadersComplete] = (...[, , , number]: HeadArguments) => {
      if (number !== undefined) names[number] = name;
      return 2;
    };
    parser.initialize(HTTPParser.REQUEST, RESOURCE, 0, HTTPParser.kLenientNone);
    const target = name === "CONNECT" ? "a:1" : "/";
    parser.execute(Buffer.from(`${name} ${target} HTTP/1.1\r\n\r\n`));
  }
  parser.close();
  return names;
}
