/**
 * Carries one body from the octets of one connection to another, from however the sender tells its end to however the
 * receiver is told. Never reads what it carries, and holds none of it beyond the turn.
 */
import type { HttpLimits } from "./http-limits.ts";
import { ChunksReader } from "./http1-chunks-reader.ts";
import { sortTrailers } from "./http1-fields.ts";
import type { Framing } from "./http1-framing.ts";
import { lastChunkText } from "./http1-head-text.ts";
import type { Line } from "./http1-line.ts";
import type { FieldLines } from "./message.ts";

export interface BodyRoute {
  readonly from: Framing;
  /** As the head said that went to the receiver. */
  readonly to: Framing;
  /** None where the body is thrown away. */
  readonly line: Line | undefined;
}

export class BodyFlow {
  readonly #route: BodyRoute;
  readonly #chunks: ChunksReader | undefined;
  #left: number;
  #isDone: boolean;
  #octets = 0;
  /** Of this turn, for a receiver that is told of chunks. */
  #pieces: Buffer[] = [];
  #pieceOctets = 0;

  constructor(route: BodyRoute, limits: HttpLimits) {
    this.#route = route;
    const { from } = route;
    this.#chunks = from.kind === "chunked" ? new ChunksReader(limits) : undefined;
    this.#left = from.kind === "length" ? from.octets : Number.POSITIVE_INFINITY;
    this.#isDone = from.kind === "none" || this.#left === 0;
  }

  /** The last octet of the message was taken. */
  get isDone(): boolean {
    return this.#isDone;
  }

  /** What came is no body. */
  get hasFailed(): boolean {
    return this.#chunks?.hasFailed ?? false;
  }

  /** Of content, so far. */
  get octets(): number {
    return this.#octets;
  }

  /** How many of the octets are the message's; they are to stay as they are until `endTurn`. */
  take(chunk: Buffer): number {
    if (this.#isDone) return 0;
    if (this.#chunks) return this.#takeChunks(this.#chunks, chunk);
    const taken = Math.min(this.#left, chunk.length);
    this.#left -= taken;
    this.#carry(taken === chunk.length ? chunk : chunk.subarray(0, taken));
    if (this.#left === 0) this.#finish([]);
    return taken;
  }

  /** Before the line is flushed. */
  endTurn(): void {
    if (this.#pieceOctets === 0) return;
    const { line } = this.#route;
    const pieces = this.#pieces;
    // RFC 9112 7.1: the size in hexadecimal.
    line?.put(`${this.#pieceOctets.toString(16)}\r\n`);
    for (const piece of pieces) line?.put(piece);
    line?.put("\r\n");
    this.#pieces = [];
    this.#pieceOctets = 0;
  }

  /** The sender's side has ended in order. True: so has the body. */
  endWithConnection(): boolean {
    if (!this.#isDone && this.#route.from.kind === "close") this.#finish([]);
    return this.#isDone;
  }

  release(): void {
    this.#chunks?.release();
  }

  #takeChunks(chunks: ChunksReader, chunk: Buffer): number {
    const taken = chunks.read(chunk);
    for (const piece of chunks.takePieces()) this.#carry(piece);
    if (chunks.hasEnded && !chunks.hasFailed) this.#finish(sortTrailers(chunks.trailers));
    return taken;
  }

  #carry(piece: Buffer): void {
    this.#octets += piece.length;
    const { to, line } = this.#route;
    if (!line || piece.length === 0) return;
    if (to.kind !== "chunked") {
      line.put(piece);
      return;
    }
    this.#pieces.push(piece);
    this.#pieceOctets += piece.length;
  }

  #finish(trailers: FieldLines): void {
    this.#isDone = true;
    const { to, line } = this.#route;
    if (to.kind !== "chunked" || !line) return;
    this.endTurn();
    line.put(lastChunkText(trailers));
  }
}
