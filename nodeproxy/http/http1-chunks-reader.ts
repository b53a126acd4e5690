/**
 * Reads a chunked body, up to its very end: what lies in its chunks, and its trailers. Chunk extensions end here
 * (RFC 9112 7.1.1: a recipient MUST ignore those that it does not know).
 *
 * The head of the message was read by another parser, which stopped behind it. This one is shown a head of ours.
 */
import type { HttpLimits } from "./http-limits.ts";
import { type MessageListener, MessageParser } from "./llhttp.ts";

/** With `close`, octets behind the message are an error, and those that are line ends are passed over. */
const HEAD_OF_OURS = Buffer.from(
  "POST / HTTP/1.1\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n",
);
const BEHIND_MESSAGE = "HPE_CLOSED_CONNECTION";

const CR = 0x0d;
const LF = 0x0a;
/** RFC 9112 7.1: CR LF of the last chunk or trailer, and that of the empty line behind it. */
const END_OCTETS = 4;

export class ChunksReader implements MessageListener {
  readonly #limits: HttpLimits;
  #parser: MessageParser | undefined;
  #pieces: Buffer[] = [];
  #hasEnded = false;
  #hasFailed = false;
  #trailers: readonly string[] = [];
  /** Line ends, CR and LF each counted, that the octets read so far close with; `END_OCTETS` at most. */
  #lineEnds = 0;

  constructor(limits: HttpLimits) {
    this.#limits = limits;
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** It is no chunked body. */
  get hasFailed(): boolean {
    return this.#hasFailed;
  }

  /** Names as sent. */
  get trailers(): readonly string[] {
    return this.#trailers;
  }

  /** How many octets belong to the body; what lay in them is had from `takePieces`. */
  read(chunk: Buffer): number {
    if (!this.#parser) {
      this.#parser = new MessageParser("request", this, this.#limits.headBytes);
      this.#parser.read(HEAD_OF_OURS);
    }
    const taken = this.#parser.read(chunk);
    if (this.#trailers.length > 2 * this.#limits.fields) this.#hasFailed = true;
    if (typeof taken !== "number" && !(this.#hasEnded && taken.code === BEHIND_MESSAGE)) {
      this.#hasFailed = true;
    }
    if (this.#hasEnded || this.#hasFailed) this.release();
    if (this.#hasFailed) return chunk.length;
    // The octet that is behind the message has been looked at.
    if (this.#hasEnded) return this.#endIn(chunk, typeof taken === "number" ? taken : taken.at - 1);
    this.#countLineEnds(chunk);
    return chunk.length;
  }

  takePieces(): readonly Buffer[] {
    const pieces = this.#pieces;
    if (pieces.length > 0) this.#pieces = [];
    return pieces;
  }

  release(): void {
    this.#parser?.release();
    this.#parser = undefined;
  }

  onFields(lines: readonly string[]): void {
    this.#trailers = this.#trailers.length === 0 ? lines : [...this.#trailers, ...lines];
  }

  onHead(): boolean {
    return false;
  }

  onBody(chunk: Buffer): void {
    this.#pieces.push(chunk);
  }

  onMessageEnd(): void {
    this.#hasEnded = true;
  }

  /**
   * Where the message ends: the parser took what is before `to`, and may have passed over line ends behind the
   * message. Whether those are read or refused is for whoever reads the next head, wherever the octets were cut.
   */
  #endIn(chunk: Buffer, to: number): number {
    let from = to;
    while (from > 0 && isLineEnd(chunk[from - 1])) from -= 1;
    return from === 0 ? END_OCTETS - this.#lineEnds : from + END_OCTETS;
  }

  #countLineEnds(chunk: Buffer): void {
    const { length } = chunk;
    let count = 0;
    while (count < Math.min(length, END_OCTETS) && isLineEnd(chunk[length - 1 - count])) count += 1;
    this.#lineEnds = count < length ? count : Math.min(this.#lineEnds + count, END_OCTETS);
  }
}

function isLineEnd(octet: number | undefined): boolean {
  return octet === CR || octet === LF;
}
