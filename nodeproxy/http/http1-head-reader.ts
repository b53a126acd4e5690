/**
 * Reads one head after another from a connection's octets, requests' or responses', and stops behind each.
 *
 * Says what the parser says. What a head means for a proxy is judged by others (`http1-request.ts`, `http1-response.ts`).
 */
import type { HttpLimits } from "./http-limits.ts";
import { type HeadLine, type MessageListener, MessageParser, type ParseFailure } from "./llhttp.ts";

export interface Head {
  readonly major: number;
  readonly minor: number;
  readonly method: string;
  readonly target: string;
  readonly status: number;
  /** Names as sent. */
  readonly lines: readonly string[];
}

const CR = 0x0d;
const LF = 0x0a;
/** RFC 9112 2.2: "a server that is expecting to receive and parse a request-line SHOULD ignore at least one empty line". */
const MAX_EMPTY_LINES = 4;
const INVALID = -1;

/** The parser's word where a head is longer than it may be, and for what it does not see itself. */
export const TOO_LARGE = "HPE_HEADER_OVERFLOW";
export const TOO_MANY_LINES = "WEFT_TOO_MANY_LINES";
export const BARE_LINE_END = "WEFT_BARE_LINE_END";

export class HeadReader implements MessageListener {
  readonly #kind: "request" | "response";
  readonly #limits: HttpLimits;
  #parser: MessageParser | undefined;
  /** Octets of this head, empty lines before it too. */
  #octets = 0;
  #emptyLines = 0;
  #isAfterReturn = false;
  #line: HeadLine | undefined;
  #target = "";
  #lines: readonly string[] = [];
  #failure: ParseFailure | undefined;

  constructor(kind: "request" | "response", limits: HttpLimits) {
    this.#kind = kind;
    this.#limits = limits;
  }

  /** Some of a head has come, and not all. */
  get isWithin(): boolean {
    return this.#octets > 0;
  }

  get failure(): ParseFailure | undefined {
    return this.#failure;
  }

  /** How many octets belong to the head: all of them, or those up to its end. After a failure it reads no more. */
  read(chunk: Buffer): number {
    if (this.#failure) return chunk.length;
    const from = this.#parser ? 0 : this.#skipEmptyLines(chunk);
    if (from === chunk.length) return from;
    if (from === INVALID) return chunk.length;
    this.#parser ??= new MessageParser(this.#kind, this, this.#limits.headBytes);
    const taken = this.#parser.read(from === 0 ? chunk : chunk.subarray(from));
    if (typeof taken !== "number") {
      this.#fail(taken);
      return chunk.length;
    }
    this.#octets += taken;
    if (this.#octets > this.#limits.headBytes) this.#failWith(TOO_LARGE);
    else if (this.#lines.length > 2 * this.#limits.fields) this.#failWith(TOO_MANY_LINES);
    return from + taken;
  }

  /** Once it is whole; the next `read` begins with the next. */
  takeHead(): Head | undefined {
    const line = this.#line;
    if (!line || this.#failure) return undefined;
    const { major, minor, method, status } = line;
    const head = { major, minor, method, status, target: this.#target, lines: this.#lines };
    this.release();
    return head;
  }

  /** Forgets what it has read. */
  release(): void {
    this.#parser?.release();
    this.#parser = undefined;
    this.#octets = 0;
    this.#emptyLines = 0;
    this.#line = undefined;
    this.#target = "";
    this.#lines = [];
  }

  onFields(lines: readonly string[], target: string): void {
    if (this.#target === "") this.#target = target;
    this.#lines = this.#lines.length === 0 ? lines : [...this.#lines, ...lines];
  }

  onHead(line: HeadLine, lines: readonly string[] | undefined): boolean {
    this.#line = line;
    if (line.target !== undefined && line.target !== "") this.#target = line.target;
    if (lines) this.#lines = lines;
    return true;
  }

  onBody(): void {}

  onMessageEnd(): void {}

  /** Each is to be CR and LF: the parser would skip any number of either. */
  #skipEmptyLines(chunk: Buffer): number {
    let at = 0;
    for (; at < chunk.length; at += 1) {
      const octet = chunk[at];
      if (octet === CR && !this.#isAfterReturn) this.#isAfterReturn = true;
      else if (octet === LF && this.#isAfterReturn && this.#emptyLines < MAX_EMPTY_LINES) {
        this.#isAfterReturn = false;
        this.#emptyLines += 1;
      } else break;
      this.#octets += 1;
    }
    const octet = chunk[at];
    if (octet === undefined) return at;
    if (!this.#isAfterReturn && octet !== CR && octet !== LF) return at;
    this.#failWith(BARE_LINE_END);
    return INVALID;
  }

  #failWith(code: string): void {
    this.#fail({ code, words: "", at: 0 });
  }

  #fail(failure: ParseFailure): void {
    this.release();
    this.#failure = failure;
  }
}
