/**
 * Reads a chunked body, up to its very end: what lies in its chunks, and its trailers. Chunk extensions end here
 * (RFC 9112 7.1.1: a recipient MUST ignore those that it does not know).
 *
 * The head of the message was read by another parser, which stopped behind it. This one is shown a head of ours.
 */
import type { HttpLimits } from "./http-limits.ts";
import { type MessageListener, MessageParser } from "./llhttp.ts";

/** With `close`, octets behind the message are an error whose place tells where it ended. */
const HEAD_OF_OURS = Buffer.from(
  "POST / HTTP/1.1\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n",
);
const BEHIND_MESSAGE = "HPE_CLOSED_CONNECTION";

export class ChunksReader implements MessageListener {
  readonly #limits: HttpLimits;
  #parser: MessageParser | undefined;
  #pieces: Buffer[] = [];
  #hasEnded = false;
  #hasFailed = false;
  #trailers: readonly string[] = [];

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
    if (typeof taken === "number" || this.#hasFailed) return chunk.length;
    // The octet that is behind the message has been looked at.
    return taken.at - 1;
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
}
