/**
 * One CONNECT stream: bytes both ways, the end of either side alone, and the abrupt end of both.
 *
 * The reader is called straight from the frame reader, and what is written waits here, copied, for its turn on the
 * line. It begins paused, and holds what comes meanwhile. From `answered` on the methods are the connection's.
 */

import { CODE } from "../http2/protocol.ts";
import { ReceiveWindow, STREAM_PARTS, STREAM_WINDOW } from "../http2/receive-window.ts";
import { givePiece, SlabQueue } from "../tcp/slab-queue.ts";
import type { StreamLine, StreamReader } from "./stream-line.ts";

/** Octets that wait for their turn; who writes more has to wait for `onDrain`. */
const HIGH_WATER = 64 << 10;

export class HboneStream {
  readonly id: number;
  readonly line: StreamLine;
  /** Octets still to come of a request that announced them, which no CONNECT does. The connection counts. */
  contentLeft: number | undefined;
  #reader: StreamReader | undefined;
  #onAnswer: ((status: number) => void) | undefined;
  #onClosed: (() => void) | undefined;

  readonly #window = new ReceiveWindow(STREAM_WINDOW, STREAM_PARTS);
  readonly #arrived = new SlabQueue();
  /** Octets handed on to a reader that has not got rid of them: the peer may not send as many more yet. */
  #held = 0;
  #isPaused = true;
  #far: "open" | "ended" | "told" = "open";
  readonly #pending = new SlabQueue();
  #sendWindow: number;
  #needsDrain = false;
  #near: "open" | "ending" | "resetting" | "ended" = "open";
  #isQueued = false;

  #isAnswered = false;
  #isClosed = false;
  #resetCode: number | undefined;

  constructor(id: number, line: StreamLine, sendWindow: number) {
    this.id = id;
    this.line = line;
    this.#sendWindow = sendWindow;
  }

  get destroyed(): boolean {
    return this.#isClosed;
  }

  /** From whichever side; `undefined` while it goes on and after an orderly end. */
  get resetCode(): number | undefined {
    return this.#resetCode;
  }

  get endedInOrder(): boolean {
    return this.#isClosed && this.#resetCode === undefined;
  }

  /** Octets that have arrived and wait for the reader. */
  get unread(): number {
    return this.#arrived.bytes + this.#held;
  }

  get isAnswered(): boolean {
    return this.#isAnswered;
  }

  /** What arrives from here on, and has arrived, is the reader's; `resume` begins. */
  readBy(reader: StreamReader): void {
    this.#reader = reader;
  }

  /** Client: told what the far side says to the request. */
  watchAnswer(listener: (status: number) => void): void {
    this.#onAnswer = listener;
  }

  /** Told, as a reader would be, when the stream is gone. Until another is named. */
  watchClose(listener: (() => void) | undefined): void {
    this.#onClosed = listener;
  }

  /** Server: says yes, or with `isLast` no: then what the far side still sends is thrown away. */
  answer(status: number, isLast: boolean): void {
    if (this.#isClosed || this.#isAnswered) return;
    this.#isAnswered = true;
    this.line.answer(this.id, status, isLast);
    if (!isLast) return;
    this.#near = "ended";
    this.#reader = undefined;
    this.resume();
    this.#closeIfEnded();
  }

  /** The chunk is copied. False: the writer is to wait for `onDrain`. */
  write(chunk: Buffer): boolean {
    if (this.#isClosed || this.#near !== "open" || chunk.length === 0) return true;
    this.#pending.push(chunk);
    this.#queue();
    if (this.#pending.bytes >= HIGH_WATER) this.#needsDrain = true;
    return !this.#needsDrain;
  }

  /** Ends our side, behind what was written. */
  end(): void {
    if (this.#isClosed || this.#near !== "open") return;
    this.#near = "ending";
    if (this.#pending.bytes > 0) return;
    this.line.out.end(this.id);
    this.#near = "ended";
    this.#closeIfEnded();
  }

  /** Ends both sides now; what was not sent never will be. RFC 9113 8.5: a TCP connection's error is CONNECT_ERROR. */
  reset(code: number = CODE.connectError): void {
    if (this.#isClosed) return;
    this.line.out.reset(this.id, code);
    this.#close(code, true);
  }

  /** As `reset`, behind what was written, as far as the peer takes it now. Nothing more is read or written. */
  resetBehindData(): void {
    this.#near = "resetting";
    this.#isPaused = true;
    if (this.sendable === 0) this.reset();
  }

  pause(): void {
    this.#isPaused = true;
  }

  /** The reader has got rid of what it was handed, and takes more. */
  resume(): void {
    const held = this.#held;
    this.#held = 0;
    if (held > 0) this.#release(held);
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#deliverArrived();
    this.#tellEnd();
  }

  /** Client: the far side has said yes or no. */
  answered(status: number): void {
    this.#isAnswered = true;
    this.#onAnswer?.(status);
  }

  get hasFarEnded(): boolean {
    return this.#far !== "open";
  }

  get hasNearEnded(): boolean {
    return this.#near === "ended";
  }

  get grown(): number {
    return this.#window.grown;
  }

  tellClosed(): void {
    this.#onClosed?.();
    this.#reader?.onClose();
  }

  /** Octets, padding too, that the peer is about to send. False: more than it may. */
  take(octets: number): boolean {
    return this.#window.take(octets);
  }

  receive(chunk: Buffer): void {
    if (this.#isClosed) this.line.release(chunk.length);
    else if (this.#isPaused) this.#arrived.push(chunk);
    else this.#deliver(chunk);
  }

  /** Padding, which no reader sees. */
  receivePadding(octets: number): void {
    this.#release(octets);
  }

  farEnded(): void {
    this.#far = "ended";
    this.#tellEnd();
  }

  /** The peer reset it, or its connection is lost: `code` tells which. */
  abort(code: number): void {
    if (!this.#isClosed) this.#close(code, false);
  }

  /** The connection is gone. Where both sides had ended, what has arrived is still read. */
  lineLost(): void {
    if (this.#far === "open" || this.#near !== "ended") this.abort(CODE.connectError);
  }

  /** The peer lets us send more, or with its SETTINGS less: RFC 9113 6.9.2. False beyond 2^31-1. */
  widen(octets: number, limit: number): boolean {
    this.#sendWindow += octets;
    if (this.#sendWindow > limit) return false;
    if (this.#pending.bytes > 0) this.#queue();
    if (this.#near === "resetting" && this.sendable === 0) this.reset();
    return true;
  }

  /** Octets that may be sent now; 0 takes it out of the queue. */
  get sendable(): number {
    return Math.max(0, Math.min(this.#pending.bytes, this.#sendWindow));
  }

  unqueue(): void {
    this.#isQueued = false;
  }

  /** Copies octets of which `sendable` told. True: our side ends with them. */
  send(target: Buffer, at: number, length: number): boolean {
    this.#pending.copyTo(target, at, length);
    this.#sendWindow -= length;
    if (this.#pending.bytes > 0 || this.#near !== "ending") return false;
    this.#near = "ended";
    this.#closeIfEnded();
    return true;
  }

  /** True where the writer waits and may go on. */
  takeDrain(): boolean {
    if (this.#near === "resetting") return this.sendable === 0;
    if (!this.#needsDrain || this.#pending.bytes > HIGH_WATER / 2 || this.#isClosed) return false;
    this.#needsDrain = false;
    return true;
  }

  drain(): void {
    if (this.#near === "resetting") this.reset();
    else if (!this.#isClosed) this.#reader?.onDrain();
  }

  #queue(): void {
    if (this.#isQueued || this.#sendWindow <= 0) return;
    this.#isQueued = true;
    this.line.queueData(this);
  }

  #deliver(chunk: Buffer): void {
    const isGone = this.#reader?.onData(chunk) ?? true;
    if (isGone || this.#isClosed) this.#release(chunk.length);
    else this.#held += chunk.length;
  }

  /** Octets have been read: the peer may send as many more, and more than before where the reader keeps up. */
  #release(octets: number): void {
    this.line.release(octets);
    if (this.#isClosed) return;
    const increment = this.#window.release(octets, this.line.windows);
    if (increment === 0 || this.#far !== "open") return;
    const growth = this.#window.grow(increment, this.line.windows);
    this.line.out.windowUpdate(this.id, increment + growth);
  }

  /** As far as the reader goes along. */
  #deliverArrived(): void {
    while (!this.#isPaused) {
      const piece = this.#arrived.takePiece();
      if (!piece) break;
      this.#deliver(piece.memory.subarray(piece.from, piece.to));
      givePiece(piece);
    }
  }

  #tellEnd(): void {
    if (this.#far !== "ended" || this.#isPaused || this.#arrived.bytes > 0) return;
    this.#far = "told";
    this.#reader?.onEnd();
    this.#closeIfEnded();
  }

  #closeIfEnded(): void {
    if (this.#far === "told" && this.#near === "ended" && !this.#isClosed) {
      this.#close(undefined, false);
    }
  }

  #close(code: number | undefined, wasResetByUs: boolean): void {
    this.#isClosed = true;
    this.#resetCode = code;
    const { unread } = this;
    // It may still be resumed, and must not be released twice.
    this.#held = 0;
    this.#arrived.clear();
    this.#pending.clear();
    if (unread > 0) this.line.release(unread);
    this.line.streamClosed(this, wasResetByUs);
    process.nextTick(tellClosed, this);
  }
}

function tellClosed(stream: HboneStream): void {
  stream.tellClosed();
}
