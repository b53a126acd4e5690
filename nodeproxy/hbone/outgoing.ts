/** The frames that we say, DATA aside: what stands in each, and nothing of when and why. */
import { MAX_FRAME_BYTES } from "./frame-reader.ts";
import type { FrameWriter } from "./frame-writer.ts";
import { encodeRequest, encodeStatus } from "./header-encoder.ts";
import { MAX_LIST_BYTES } from "./hpack-decoder.ts";
import { DEFAULT_WINDOW, FLAG, FRAME, PREFACE, SETTING } from "./protocol.ts";
import { CONNECTION_WINDOW, STREAM_WINDOW } from "./receive-window.ts";

const EMPTY: Buffer = Buffer.alloc(0);

export class Outgoing {
  readonly #writer: FrameWriter;
  /** RFC 7541 4.2: the peer's table has become smaller than the default, which is to be confirmed once. */
  #isTableSizeDue = false;

  constructor(writer: FrameWriter) {
    this.#writer = writer;
  }

  /** RFC 9113 3.4. `maxStreams`: that the peer may have open at once. */
  greet(isServer: boolean, maxStreams: number): void {
    if (!isServer) this.#writer.writeRaw(PREFACE);
    const settings: readonly (readonly [number, number])[] = [
      [SETTING.initialWindowSize, STREAM_WINDOW],
      [SETTING.maxFrameSize, MAX_FRAME_BYTES],
      [SETTING.maxHeaderListSize, MAX_LIST_BYTES],
      [SETTING.maxConcurrentStreams, maxStreams],
      [SETTING.enablePush, 0],
    ];
    const payload = Buffer.alloc(settings.length * 6);
    for (const [i, [id, value]] of settings.entries()) {
      payload.writeUInt16BE(id, i * 6);
      payload.writeUInt32BE(value, i * 6 + 2);
    }
    this.#writer.write([FRAME.settings, 0, 0], payload);
    this.windowUpdate(0, CONNECTION_WINDOW - DEFAULT_WINDOW);
  }

  tableSizeChanged(): void {
    this.#isTableSizeDue = true;
  }

  request(id: number, authority: string): void {
    const block = encodeRequest(authority, this.#takeTableSizeDue());
    this.#writer.write([FRAME.headers, FLAG.endHeaders, id], block);
  }

  answer(id: number, status: number, isLast: boolean): void {
    const flags = FLAG.endHeaders | (isLast ? FLAG.endStream : 0);
    const block = encodeStatus(status, this.#takeTableSizeDue());
    this.#writer.write([FRAME.headers, flags, id], block);
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

  #takeTableSizeDue(): boolean {
    const isDue = this.#isTableSizeDue;
    this.#isTableSizeDue = false;
    return isDue;
  }
}
