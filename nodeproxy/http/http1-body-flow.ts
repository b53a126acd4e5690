/**
 * Carries one body from the octets of one connection to another, from however the sender tells its end to however the
 * receiver is told. Never reads what it carries, and holds none of it beyond the turn but what may be sent again.
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
  readonly line: Pick<Line, "put"> | undefined;
}

/** Who wants a body besides the receiver. */
export interface BodyKeeper {
  /** Of content, kept to be sent again. */
  readonly keptOctets: number;
  /** Nothing more comes. Once, with all content, or `undefined` where it was too much to keep. */
  readonly onWhole?: ((body: readonly Buffer[] | undefined) => void) | undefined;
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
  #line: Pick<Line, "put"> | undefined;
  /** All content so far, where it may be sent again. */
  #kept: Buffer[] | undefined;
  readonly #keeper: BodyKeeper | undefined;
  #trailers: FieldLines = [];

  constructor(route: BodyRoute, limits: HttpLimits, keeper?: BodyKeeper) {
    this.#route = route;
    this.#line = route.line;
    this.#keeper = keeper;
    if (keeper && keeper.keptOctets > 0) this.#kept = [];
    const { from } = route;
    this.#chunks = from.kind === "chunked" ? new ChunksReader(limits) : undefined;
    this.#left = from.kind === "length" ? from.octets : Number.POSITIVE_INFINITY;
    this.#isDone = from.kind === "none" || this.#left === 0;
    if (this.#isDone) keeper?.onWhole?.(this.#kept);
  }

  /** The last octet of the message was taken. */
  get isDone(): boolean {
    return this.#isDone;
  }

  /** What came is no body. */
  get hasFailed(): boolean {
    return this.#chunks?.hasFailed ?? false;
  }

  /** Those that came behind it, and may go on. */
  get trailers(): FieldLines {
    return this.#trailers;
  }

  /** Of content, so far. */
  get octets(): number {
    return this.#octets;
  }

  /** All that went on is still there. */
  get mayRepeat(): boolean {
    return this.#octets === 0 || this.#kept !== undefined;
  }

  /** To another line what went to the one before; what comes next follows. */
  repeat(line: Line): void {
    this.#line = line;
    this.#pieces = [];
    this.#pieceOctets = 0;
    for (const piece of this.#kept ?? []) this.#send(piece);
    if (this.#isDone) this.#sendEnd();
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
    const line = this.#line;
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
    if (piece.length === 0) return;
    if (this.#kept) this.#keep(this.#kept, piece);
    this.#send(piece);
  }

  #keep(kept: Buffer[], piece: Buffer): void {
    if (this.#octets > (this.#keeper?.keptOctets ?? 0)) this.#kept = undefined;
    else kept.push(Buffer.from(piece));
  }

  #send(piece: Buffer): void {
    const line = this.#line;
    if (!line) return;
    if (this.#route.to.kind !== "chunked") {
      line.put(piece);
      return;
    }
    this.#pieces.push(piece);
    this.#pieceOctets += piece.length;
  }

  #finish(trailers: FieldLines): void {
    this.#isDone = true;
    this.#trailers = trailers;
    this.#sendEnd();
    this.#keeper?.onWhole?.(this.#kept);
  }

  #sendEnd(): void {
    if (this.#route.to.kind !== "chunked" || !this.#line) return;
    this.endTurn();
    this.#line.put(lastChunkText(this.#trailers));
  }
}
