/**
 * One request and its answer in an HTTP/2 connection, at either end: heads, bodies, trailers, and the abrupt end of both.
 *
 * What arrives is the hearer's as it comes, and counts in the window until the hearer gives it back. It begins paused.
 * From `open` on the methods are the session's.
 */
import type { AnswerMessage, FramedStream } from "../http2/framed-stream.ts";
import { CODE } from "../http2/protocol.ts";
import { ReceiveWindow, STREAM_PARTS } from "../http2/receive-window.ts";
import { givePiece, SlabQueue } from "../tcp/slab-queue.ts";
import { STREAM_WINDOW } from "./http2-settings.ts";
import type { FieldLines } from "./message.ts";
import type { MessageLine } from "./message-line.ts";
import { MessageSender, type SenderOwner } from "./message-sender.ts";

/** Whoever reads a stream. Called in the order of the wire. */
export interface StreamHearer {
  /** Client: an answer of 1xx. */
  onInform?(fields: FieldLines): void;
  /** Client: the head of the final answer. */
  onAnswer?(message: AnswerMessage): void;
  /** The chunk is the hearer's for the length of the call; its octets are to be given back with `release`. */
  onData(chunk: Buffer): void;
  /** The far side has ended its half. */
  onEnd(trailers: FieldLines): void;
  /** So many octets of those that were written are on their way. */
  onSent(octets: number): void;
  /** Once, last, never from within a call of the hearer's. */
  onClose(): void;
}

const NO_FIELDS: FieldLines = [];

export class MessageStream implements FramedStream, SenderOwner {
  contentLeft: number | undefined;
  readonly #line: MessageLine;
  readonly #sender: MessageSender;
  #hearer: StreamHearer | undefined;

  readonly #window = new ReceiveWindow(STREAM_WINDOW, STREAM_PARTS);
  #arrived: SlabQueue | undefined;
  /** Octets that have arrived and were not given back. */
  #held = 0;
  #isPaused = true;
  #far: "open" | "ended" | "told" = "open";
  #trailers = NO_FIELDS;

  #isAnswered = false;
  /** Client: its answer has no content, whatever it announces. */
  #isToHead = false;
  #isClosed = false;
  #resetCode: number | undefined;

  constructor(line: MessageLine) {
    this.#line = line;
    this.#sender = new MessageSender(line.output, this);
  }

  get id(): number {
    return this.#sender.id;
  }

  get destroyed(): boolean {
    return this.#isClosed;
  }

  /** From whichever side; `undefined` while it goes on and after an orderly end. */
  get resetCode(): number | undefined {
    return this.#resetCode;
  }

  /** Server: the answer's head was said. Client: it was heard. */
  get isAnswered(): boolean {
    return this.#isAnswered;
  }

  get hasFarEnded(): boolean {
    return this.#far !== "open";
  }

  /** More of a body may be written. */
  get isWritable(): boolean {
    return this.#sender.isOpen && !this.#isClosed;
  }

  /** All was said, and is on its way. */
  get hasNearEnded(): boolean {
    return this.#sender.hasEnded;
  }

  /** Octets that wait for their turn. */
  get unsent(): number {
    return this.#sender.unsent;
  }

  hearBy(hearer: StreamHearer): void {
    this.#hearer = hearer;
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#deliverArrived();
    this.#tellEnd();
  }

  /** The hearer has got rid of so many octets, or of all. */
  release(octets: number = this.#held): void {
    const freed = Math.min(octets, this.#held);
    if (freed === 0) return;
    this.#held -= freed;
    this.#line.free(freed);
    this.#widenPeer(freed);
    this.#closeIfEnded();
  }

  /** Client: the request's head. Server: that of the final answer. `secret`: names that no table may hold. */
  sendHead(fields: FieldLines, isLast: boolean, secret?: readonly string[]): void {
    if (this.#isClosed || this.#sender.hasBegun) return;
    this.#sender.begin(isLast);
    const said = { fields, isLast, secret };
    if (this.#line.isServer) {
      this.#isAnswered = true;
      this.#line.output.sendFields(this.id, said);
    } else this.#line.sendRequest(this, said);
    if (isLast) this.#closeIfEnded();
  }

  /** Client: whatever the answer announces, it has no content. */
  expectNoContent(): void {
    this.#isToHead = true;
  }

  /** Server: an answer of 1xx. */
  sendInform(fields: FieldLines): void {
    if (this.#isClosed || this.#sender.hasBegun) return;
    this.#line.output.sendFields(this.id, { fields, isLast: false });
  }

  /** The chunk is copied; who writes is to have no more on the way than it is told of by `onSent`. */
  write(chunk: Buffer): void {
    if (this.isWritable && chunk.length > 0) this.#sender.write(chunk);
  }

  /** Ends our side, behind what was written. */
  end(trailers?: FieldLines): void {
    if (this.isWritable) this.#sender.end(trailers?.length === 0 ? undefined : trailers);
  }

  /** Ends both sides now; what was not sent never will be. */
  reset(code: number): void {
    if (this.#isClosed) return;
    if (this.id > 0) this.#line.output.frames.reset(this.id, code);
    this.#close(code, true);
  }

  /** It has its number. `window`: octets that the peer takes of it. */
  open(id: number, window: number): void {
    this.#sender.open(id, window);
  }

  /** Client: its head was said. */
  goOn(): void {
    this.#sender.goOn();
  }

  take(octets: number): boolean {
    return this.#window.take(octets);
  }

  receive(chunk: Buffer): void {
    const { length } = chunk;
    this.#line.hold(length);
    if (this.#isClosed) {
      this.#line.free(length);
      return;
    }
    this.#held += length;
    if (this.#isPaused) {
      this.#arrived ??= new SlabQueue();
      this.#arrived.push(chunk);
    } else this.#hearer?.onData(chunk);
  }

  receivePadding(octets: number): void {
    this.#line.hold(octets);
    this.#line.free(octets);
    this.#widenPeer(octets);
  }

  informed(fields: FieldLines): void {
    this.#hearer?.onInform?.(fields);
  }

  answered(status: number, message: AnswerMessage): void {
    this.#isAnswered = true;
    // RFC 9110 8.6: to HEAD, and with 304, it is the length of what another answer would have.
    const isEmpty = this.#isToHead || status === 204 || status === 304;
    this.contentLeft = isEmpty ? 0 : message.contentLength;
    // RFC 9113 8.1.1: what announces content that cannot come is reset, and nobody is to see it.
    const isMalformed = message.isLast && (this.contentLeft ?? 0) > 0;
    if (!isMalformed) this.#hearer?.onAnswer?.(message);
  }

  trailed(fields: FieldLines): void {
    this.#trailers = fields;
  }

  farEnded(): void {
    this.#far = "ended";
    this.#tellEnd();
  }

  /** RFC 9113 8.1: a server that has answered in full may reset the rest of the request without an error. */
  abort(code: number): void {
    if (this.#isClosed) return;
    const isInOrder = code === CODE.noError && this.#far === "told" && this.#isAnswered;
    this.#close(isInOrder && !this.#line.isServer ? undefined : code, false);
  }

  /** The connection is gone. */
  lineLost(): void {
    if (this.#far === "told" && this.#sender.hasEnded) this.#close(undefined, false);
    else this.abort(CODE.cancel);
  }

  widen(octets: number, limit: number): boolean {
    return this.#sender.widen(octets, limit);
  }

  sent(octets: number): void {
    this.#hearer?.onSent(octets);
  }

  nearEnded(): void {
    this.#closeIfEnded();
  }

  tellClosed(): void {
    this.#hearer?.onClose();
  }

  /** The peer may send so many octets more. */
  #widenPeer(octets: number): void {
    const increment = this.#window.release(octets);
    if (increment > 0 && this.#far === "open" && !this.#isClosed) {
      this.#line.output.frames.windowUpdate(this.id, increment);
    }
  }

  #deliverArrived(): void {
    while (!this.#isPaused) {
      const piece = this.#arrived?.takePiece();
      if (!piece) break;
      this.#hearer?.onData(piece.memory.subarray(piece.from, piece.to));
      givePiece(piece);
    }
  }

  #tellEnd(): void {
    if (this.#far !== "ended" || this.#isPaused || this.#isClosed) return;
    this.#far = "told";
    this.#hearer?.onEnd(this.#trailers);
    this.#closeIfEnded();
  }

  /** Not while somebody has octets of it: they count in the window of its connection until they are gone. */
  #closeIfEnded(): void {
    if (this.#far === "told" && this.#sender.hasEnded && this.#held === 0 && !this.#isClosed) {
      this.#close(undefined, false);
    }
  }

  #close(code: number | undefined, wasResetByUs: boolean): void {
    this.#isClosed = true;
    this.#resetCode = code;
    const held = this.#held;
    this.#held = 0;
    this.#arrived?.clear();
    this.#sender.drop();
    if (held > 0) this.#line.free(held);
    this.#line.streamClosed(this, wasResetByUs);
    process.nextTick(tellClosed, this);
  }
}

function tellClosed(stream: MessageStream): void {
  stream.tellClosed();
}
