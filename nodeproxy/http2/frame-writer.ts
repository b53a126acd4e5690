/**
 * Writes frames, all of one turn of the loop together: small ones at once into the slab of the turn, DATA at
 * the turn's end from `source`, so that one stream's bulk waits for its turn and never stands before a reset.
 *
 * One write is under way at a time. What comes meanwhile waits in slabs, of which a peer that reads nothing
 * gets so many and no more.
 */
import { flood, type Http2Error } from "./http2-error.ts";
import { FLAG, FRAME, HEAD_BYTES } from "./protocol.ts";
import { giveSlab, SLAB_BYTES, takeSlab } from "./slabs.ts";

/** Of frames that are not DATA, in slabs: a megabyte. */
const MAX_SEALED = 8;

/** Where frames go to: a socket, mostly. */
export interface FrameTransport {
  /** The memory is the writer's again once `done` is called, be it within the call. */
  write(bytes: Buffer, done: () => void): unknown;
  /** Behind what was written. */
  end(): unknown;
}

export interface DataSource {
  readonly hasData: boolean;
  /** Writes whole DATA frames into the slab from `at` on; returns where they end. */
  fill(slab: Buffer, at: number): number;
  /** What was filled is on its way: tell who waits. */
  filled(): void;
}

interface Sealed {
  readonly slab: Buffer;
  readonly bytes: number;
}

export class FrameWriter {
  readonly #transport: FrameTransport;
  readonly #source: DataSource;
  readonly #onFlood: (error: Http2Error) => void;
  #slab: Buffer | undefined;
  #at = 0;
  readonly #sealed: Sealed[] = [];
  #isWriting = false;
  #isScheduled = false;
  #isEnding = false;
  #isEnded = false;

  constructor(transport: FrameTransport, source: DataSource, onFlood: (error: Http2Error) => void) {
    this.#transport = transport;
    this.#source = source;
    this.#onFlood = onFlood;
  }

  /** A frame with its payload, which is copied. */
  write([type, flags, stream]: readonly [number, number, number], payload: Buffer): void {
    const slab = this.#reserve(HEAD_BYTES + payload.length);
    if (!slab) return;
    const at = this.#at - payload.length;
    writeHead(slab, at - HEAD_BYTES, [payload.length, type, flags, stream]);
    payload.copy(slab, at);
  }

  /** The preface of a client, which is no frame. */
  writeRaw(bytes: Buffer): void {
    const slab = this.#reserve(bytes.length);
    if (slab) bytes.copy(slab, this.#at - bytes.length);
  }

  /** A frame whose payload is one number of 32 bits: RST_STREAM, WINDOW_UPDATE. */
  writeNumber(type: number, stream: number, value: number): void {
    const slab = this.#reserve(HEAD_BYTES + 4);
    if (!slab) return;
    writeHead(slab, this.#at - 4 - HEAD_BYTES, [4, type, 0, stream]);
    slab.writeUInt32BE(value, this.#at - 4);
  }

  /** An empty DATA that ends the stream. */
  writeEnd(stream: number): void {
    const slab = this.#reserve(HEAD_BYTES);
    if (slab) writeHead(slab, this.#at - HEAD_BYTES, [0, FRAME.data, FLAG.endStream, stream]);
  }

  /** So many octets go out with the next write. */
  hasRoom(bytes: number): boolean {
    return this.#sealed.length === 0 && this.#at + bytes <= SLAB_BYTES && !this.#isEnding;
  }

  /** More is said already than goes out with the next write; once it is out, the source hears that it is filled. */
  get isBehind(): boolean {
    return this.#sealed.length > 0;
  }

  /** At the end of this turn of the loop, or once what is being written is written. */
  schedule(): void {
    if (this.#isScheduled || this.#isWriting || this.#isEnded) return;
    this.#isScheduled = true;
    setImmediate(flush, this);
  }

  /** Writes what there is, then ends the transport; nothing is taken any more. */
  end(): void {
    if (this.#isEnding) return;
    this.#isEnding = true;
    this.schedule();
  }

  /** The transport is gone. */
  destroy(): void {
    this.#isEnding = true;
    this.#isEnded = true;
    if (this.#slab) giveSlab(this.#slab);
    this.#slab = undefined;
    this.#sealed.length = 0;
  }

  flush(): void {
    this.#isScheduled = false;
    if (this.#isWriting || this.#isEnded) return;
    const isBehind = this.#sealed.length > 0;
    if (!isBehind && this.#source.hasData && !this.#isEnding) {
      this.#slab ??= takeSlab();
      this.#at = this.#source.fill(this.#slab, this.#at);
    }
    const next = this.#sealed.shift() ?? this.#takeTurn();
    if (next) {
      this.#isWriting = true;
      this.#transport.write(next.slab.subarray(0, next.bytes), () => this.#written(next.slab));
    } else if (this.#isEnding) {
      this.#isEnded = true;
      this.#transport.end();
    }
    if (!isBehind) this.#source.filled();
  }

  #takeTurn(): Sealed | undefined {
    const slab = this.#slab;
    const bytes = this.#at;
    this.#slab = undefined;
    this.#at = 0;
    if (slab && bytes === 0) giveSlab(slab);
    return slab && bytes > 0 ? { slab, bytes } : undefined;
  }

  #written(slab: Buffer): void {
    this.#isWriting = false;
    giveSlab(slab);
    if (this.#isEnded) return;
    if (this.#at > 0 || this.#sealed.length > 0 || this.#source.hasData || this.#isEnding) {
      this.flush();
    }
  }

  /** The slab with room for `bytes` before `#at`; none where nothing is taken any more. */
  #reserve(bytes: number): Buffer | undefined {
    if (this.#isEnding) return undefined;
    if (this.#slab && this.#at + bytes > SLAB_BYTES) {
      this.#sealed.push({ slab: this.#slab, bytes: this.#at });
      this.#slab = undefined;
      this.#at = 0;
      if (this.#sealed.length === MAX_SEALED) {
        this.#onFlood(flood("answers that nobody reads"));
        return undefined;
      }
    }
    this.#slab ??= takeSlab();
    this.#at += bytes;
    this.schedule();
    return this.#slab;
  }
}

/** Length, type, flags, stream: RFC 9113 4.1. */
export function writeHead(
  target: Buffer,
  at: number,
  [length, type, flags, stream]: readonly [number, number, number, number],
): void {
  target.writeUIntBE(length, at, 3);
  target[at + 3] = type;
  target[at + 4] = flags;
  target.writeUInt32BE(stream, at + 5);
}

function flush(writer: FrameWriter): void {
  writer.flush();
}
