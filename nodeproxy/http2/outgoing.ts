/** The frames that we say, DATA aside: what stands in each, and nothing of when and why. */
import type { FrameWriter } from "./frame-writer.ts";
import { DEFAULT_MAX_FRAME, DEFAULT_WINDOW, FLAG, FRAME, PREFACE } from "./protocol.ts";

const EMPTY: Buffer = Buffer.alloc(0);

export interface Greeting {
  /** Numbers of `SETTING` and their values. */
  readonly settings: readonly (readonly [number, number])[];
  /** Octets of the connection's window. */
  readonly window: number;
}

export class Outgoing {
  readonly #writer: FrameWriter;

  constructor(writer: FrameWriter) {
    this.#writer = writer;
  }

  /** RFC 9113 3.4. `window`: of the connection. */
  greet(isServer: boolean, { settings, window }: Greeting): void {
    if (!isServer) this.#writer.writeRaw(PREFACE);
    const payload = Buffer.alloc(settings.length * 6);
    for (const [i, [id, value]] of settings.entries()) {
      payload.writeUInt16BE(id, i * 6);
      payload.writeUInt32BE(value, i * 6 + 2);
    }
    this.#writer.write([FRAME.settings, 0, 0], payload);
    this.windowUpdate(0, window - DEFAULT_WINDOW);
  }

  /** A whole header block, in as many frames as it needs. RFC 9113 4.3: nothing else comes between them. */
  headers(id: number, block: Buffer, isLast: boolean): void {
    const last = isLast ? FLAG.endStream : 0;
    if (block.length <= DEFAULT_MAX_FRAME) {
      this.#writer.write([FRAME.headers, FLAG.endHeaders | last, id], block);
      return;
    }
    this.#writer.write([FRAME.headers, last, id], block.subarray(0, DEFAULT_MAX_FRAME));
    for (let at = DEFAULT_MAX_FRAME; at < block.length; at += DEFAULT_MAX_FRAME) {
      const end = at + DEFAULT_MAX_FRAME;
      const flags = end >= block.length ? FLAG.endHeaders : 0;
      this.#writer.write([FRAME.continuation, flags, id], block.subarray(at, end));
    }
  }

  /** An empty DATA that ends our side. */
  end(id: number): void {
    this.#writer.writeEnd(id);
  }

  reset(id: number, code: number): void {
    this.#writer.writeNumber(FRAME.resetStream, id, code);
  }

  /** More may be sent on the stream, or with id 0 on all together. */
  windowUpdate(id: number, increment: number): void {
    this.#writer.writeNumber(FRAME.windowUpdate, id, increment);
  }

  settingsAck(): void {
    this.#writer.write([FRAME.settings, FLAG.ack, 0], EMPTY);
  }

  ping(): void {
    this.#writer.write([FRAME.ping, 0, 0], Buffer.alloc(8));
  }

  pong(payload: Buffer): void {
    this.#writer.write([FRAME.ping, FLAG.ack, 0], payload);
  }

  goAway(last: number, code: number): void {
    const payload = Buffer.alloc(8);
    payload.writeUInt32BE(last, 0);
    payload.writeUInt32BE(code, 4);
    this.#writer.write([FRAME.goAway, 0, 0], payload);
  }
}
