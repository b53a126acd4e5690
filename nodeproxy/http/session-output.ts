/** What one session says, in the order of the wire: header blocks in the peer's table, and DATA as its windows let it. */
import { FrameWriter } from "../http2/frame-writer.ts";
import { HpackEncoder } from "../http2/hpack-encoder.ts";
import type { Http2Error } from "../http2/http2-error.ts";
import { Outgoing } from "../http2/outgoing.ts";
import type { PeerSettings } from "../http2/peer-settings.ts";
import { FRAME, HEAD_BYTES, MAX_WINDOW } from "../http2/protocol.ts";
import { SendQueue } from "../http2/send-queue.ts";
import type { FieldLines } from "./message.ts";
import type { MessageSender } from "./message-sender.ts";
import type { SideTransport } from "./side-transport.ts";

/** A header block to be said. */
export interface SaidFields {
  readonly fields: FieldLines;
  /** Our side ends with it. */
  readonly isLast: boolean;
  /** Names of fields that no table may hold. */
  readonly secret?: readonly string[] | undefined;
}

export class SessionOutput {
  readonly frames: Outgoing;
  readonly #writer: FrameWriter;
  readonly #queue: SendQueue;
  readonly #encoder = new HpackEncoder();

  /** `onRoom`: what was said is on its way. */
  constructor(transport: SideTransport, onFlood: (error: Http2Error) => void, onRoom: () => void) {
    this.#queue = new SendQueue(onRoom);
    this.#writer = new FrameWriter(transport, this.#queue, onFlood);
    this.frames = new Outgoing(this.#writer);
  }

  /** More heads would wait here. */
  get isBehind(): boolean {
    return this.#writer.isBehind;
  }

  sendFields(id: number, { fields, isLast, secret }: SaidFields): void {
    this.frames.headers(id, this.#encoder.encode(fields, secret), isLast);
  }

  /** False where others wait, or there is no room: then it is to be queued. The chunk is copied. */
  sendNow(id: number, chunk: Buffer): boolean {
    const { length } = chunk;
    if (!this.#queue.mayPass(length) || !this.#writer.hasRoom(HEAD_BYTES + length)) return false;
    this.#queue.spend(length);
    this.#writer.write([FRAME.data, 0, id], chunk);
    return true;
  }

  /** It has octets to send, and a window for some. */
  queueData(sender: MessageSender): void {
    this.#queue.add(sender);
    if (this.#queue.hasData) this.#writer.schedule();
  }

  /** Of the peer; windows of streams aside. */
  setPeer({ headerTableSize, maxFrame }: PeerSettings): void {
    this.#encoder.resize(headerTableSize);
    this.#queue.maxFrame = maxFrame;
  }

  /** The connection's own window. False beyond 2^31-1. */
  widen(octets: number): boolean {
    const isRight = this.#queue.widen(octets, MAX_WINDOW);
    if (this.#queue.hasData) this.#writer.schedule();
    return isRight;
  }

  /** Behind what was said. */
  end(): void {
    this.#writer.end();
  }

  /** The connection is gone. */
  destroy(): void {
    this.#writer.destroy();
  }
}
