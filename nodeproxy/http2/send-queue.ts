/**
 * Whose turn is it to send DATA? Streams of a connection in a circle, a quantum each, so that a bulk transfer
 * makes none of the others wait for more than a quantum of it in each round.
 *
 * Keeps the connection's send window; a stream's own is the stream's (RFC 9113 5.2, 6.9).
 */

import type { DataSource } from "./frame-writer.ts";
import { writeHead } from "./frame-writer.ts";
import type { SendingStream } from "./framed-stream.ts";
import { DEFAULT_MAX_FRAME, DEFAULT_WINDOW, FLAG, FRAME, HEAD_BYTES } from "./protocol.ts";

/** Octets of one stream in a round. One that is alone gets all there is room for. */
const QUANTUM_BYTES = 16_384;

export class SendQueue implements DataSource {
  #ready: SendingStream[] = [];
  #next: SendingStream[] = [];
  /** Of `#ready`, what was served. */
  #at = 0;
  #window = DEFAULT_WINDOW;
  /** SETTINGS_MAX_FRAME_SIZE of the peer. */
  #maxFrame = DEFAULT_MAX_FRAME;
  readonly #drained: SendingStream[] = [];
  readonly #onFilled: () => void;

  /** `onFilled`: all that was said until now is on its way. */
  constructor(onFilled: () => void = ignore) {
    this.#onFilled = onFilled;
  }

  get hasData(): boolean {
    return this.#window > 0 && (this.#at < this.#ready.length || this.#next.length > 0);
  }

  set maxFrame(octets: number) {
    this.#maxFrame = octets;
  }

  /** False beyond `limit`. */
  widen(octets: number, limit: number): boolean {
    this.#window += octets;
    return this.#window <= limit;
  }

  /** Nobody waits for a turn, and the peer takes so many octets in one frame. */
  mayPass(octets: number): boolean {
    const isEmpty = this.#at === this.#ready.length && this.#next.length === 0;
    return isEmpty && octets <= this.#window && octets <= this.#maxFrame;
  }

  /** Of the connection's window, past the queue. */
  spend(octets: number): void {
    this.#window -= octets;
  }

  add(stream: SendingStream): void {
    this.#next.push(stream);
  }

  fill(slab: Buffer, from: number): number {
    let at = from;
    while (this.#window > 0 && slab.length - at > HEAD_BYTES) {
      const stream = this.#take();
      if (!stream) break;
      const room = slab.length - at - HEAD_BYTES;
      const length = this.#lengthFor(stream, room);
      if (length === 0) {
        stream.unqueue();
        continue;
      }
      const isLast = stream.send(slab, at + HEAD_BYTES, length);
      const flags = isLast ? FLAG.endStream : 0;
      writeHead(slab, at, [length, FRAME.data, flags, stream.id]);
      at += HEAD_BYTES + length;
      this.#window -= length;
      if (stream.sendable > 0) this.#next.push(stream);
      else stream.unqueue();
      if (stream.takeDrain()) this.#drained.push(stream);
    }
    return at;
  }

  filled(): void {
    for (const stream of this.#drained.splice(0)) stream.drain();
    this.#onFilled();
  }

  #lengthFor(stream: SendingStream, room: number): number {
    const isAlone = this.#at === this.#ready.length && this.#next.length === 0;
    const turn = isAlone ? room : Math.min(room, QUANTUM_BYTES);
    return Math.min(stream.sendable, turn, this.#window, this.#maxFrame);
  }

  #take(): SendingStream | undefined {
    if (this.#at === this.#ready.length) {
      const served = this.#ready;
      this.#ready = this.#next;
      this.#next = served;
      this.#next.length = 0;
      this.#at = 0;
    }
    const stream = this.#ready[this.#at];
    if (stream) this.#at += 1;
    return stream;
  }
}

function ignore(): void {}
