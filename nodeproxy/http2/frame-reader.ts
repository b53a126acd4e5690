/**
 * Cuts the bytes of a connection into frames (RFC 9113 4), however the transport has cut them.
 *
 * Payloads of DATA are handed on as they come, as slices of what the transport gave: nothing is copied and
 * none is waited for. Other frames are handed on whole; none is larger than a header list may be. Knows
 * lengths and padding; what a frame means is the sink's.
 */
import { flood, protocolError } from "./http2-error.ts";
import { CODE, FLAG, FRAME, HEAD_BYTES, PREFACE } from "./protocol.ts";

export interface FrameSink {
  /** `length` with padding, as flow control counts it. */
  onDataBegin(stream: number, length: number): void;
  /** Never empty. Not padding. */
  onDataChunk(chunk: Buffer): void;
  onDataEnd(isLast: boolean): void;
  /** Any other known frame; of unknown ones only that they were there: an empty payload. */
  onFrame(frame: Frame): void;
}

export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
}

export interface FrameReaderOptions {
  /** Of a server: that of clients comes first. */
  readonly expectsPreface: boolean;
  /** What we announce as SETTINGS_MAX_FRAME_SIZE. */
  readonly maxFrameBytes: number;
}

/** Other frames than DATA: the smallest of all limits, and the largest padding. */
const MAX_WHOLE_BYTES = 16_384 + 256;
/** A request is parsed, judged and dialled; a reset ends all that. Others: 1. */
const COSTS: Readonly<Record<number, number>> = { [FRAME.headers]: 24, [FRAME.resetStream]: 8 };
/** Of one size each, RFC 9113 6; others may be as large as we announce. */
const FIXED_SIZE: ReadonlySet<number> = new Set([
  FRAME.priority,
  FRAME.resetStream,
  FRAME.ping,
  FRAME.windowUpdate,
]);
/** A message of DATA is as much work as so many octets of it (as a power of two): a TLS record as 64 messages. */
const COST_SHIFT = 8;
const NONE: Buffer = Buffer.alloc(0);

type State = "preface" | "head" | "pad length" | "data" | "padding" | "whole" | "skip";

export class FrameReader {
  readonly #sink: FrameSink;
  #state: State;
  /** The preface, a frame's head or a whole payload, where it came in more than one piece. */
  #pieces: Buffer = NONE;
  #have = 0;
  #type = 0;
  #flags = 0;
  #stream = 0;
  /** Octets of the state to come. */
  #left = 0;
  #padding = 0;
  #cost = 0;
  #isStopped = false;
  readonly #maxFrameBytes: number;

  constructor(sink: FrameSink, { expectsPreface, maxFrameBytes }: FrameReaderOptions) {
    this.#sink = sink;
    this.#maxFrameBytes = maxFrameBytes;
    this.#state = expectsPreface ? "preface" : "head";
  }

  /** HEADERS, or CONTINUATION, have come in part. */
  get isWithinHead(): boolean {
    if (this.#state !== "whole") return false;
    return this.#type === FRAME.headers || this.#type === FRAME.continuation;
  }

  /** Of all frames so far, roughly in the time that a message of DATA takes. */
  get cost(): number {
    return this.#cost;
  }

  /**
   * Where it stopped: at the end, or before it once `cost` has reached the limit. Throws `Http2Error`, its own or
   * the sink's: nothing may be fed after that.
   */
  feed(chunk: Buffer, costLimit = Infinity): number {
    let at = 0;
    while (at < chunk.length && !this.#isStopped) {
      if (this.#cost >= costLimit) return at;
      at = this.#step(chunk, at);
    }
    return chunk.length;
  }

  /** For the sink, within `feed` too: no more frames. */
  stop(): void {
    this.#isStopped = true;
  }

  /** Where the rest begins. */
  #step(chunk: Buffer, at: number): number {
    switch (this.#state) {
      case "head":
        return this.#readHead(chunk, at);
      case "data":
        return this.#readData(chunk, at);
      case "whole":
        return this.#readWhole(chunk, at);
      case "preface":
        return this.#readPreface(chunk, at);
      case "pad length":
        return this.#readPadLength(chunk, at);
      case "padding":
      case "skip":
        return this.#readSkipped(chunk, at);
    }
  }

  #readPreface(chunk: Buffer, at: number): number {
    const end = Math.min(chunk.length, at + PREFACE.length - this.#have);
    const isSame = chunk.compare(PREFACE, this.#have, this.#have + end - at, at, end) === 0;
    if (!isSame) throw protocolError("not the preface of HTTP/2");
    this.#have += end - at;
    if (this.#have === PREFACE.length) this.#beginHead();
    return end;
  }

  #beginHead(): void {
    this.#state = "head";
    this.#have = 0;
  }

  #readHead(chunk: Buffer, at: number): number {
    if (this.#have === 0 && chunk.length - at >= HEAD_BYTES) {
      this.#takeHead(chunk, at);
      return at + HEAD_BYTES;
    }
    if (this.#have === 0) this.#pieces = Buffer.allocUnsafe(HEAD_BYTES);
    const end = this.#gather(chunk, at, HEAD_BYTES);
    if (this.#have === HEAD_BYTES) this.#takeHead(this.#pieces, 0);
    return end;
  }

  /** Copies to the pieces until there are `size`. */
  #gather(chunk: Buffer, at: number, size: number): number {
    const end = Math.min(chunk.length, at + size - this.#have);
    chunk.copy(this.#pieces, this.#have, at, end);
    this.#have += end - at;
    return end;
  }

  #takeHead(bytes: Buffer, at: number): void {
    const length = bytes.readUIntBE(at, 3);
    this.#type = bytes.readUInt8(at + 3);
    this.#flags = bytes.readUInt8(at + 4);
    // RFC 9113 4.1: the reserved bit "MUST be ignored when receiving".
    this.#stream = bytes.readUInt32BE(at + 5) & 0x7fff_ffff;
    this.#have = 0;
    this.#left = length;
    this.#cost += COSTS[this.#type] ?? 1;
    if (length > this.#maxFrameBytes) {
      throw protocolError(`a frame of ${length} octets`, CODE.frameSizeError);
    }
    if (this.#type === FRAME.data) this.#beginData(length);
    else if (this.#type > FRAME.continuation) this.#beginSkip(length);
    else this.#beginWhole(length);
  }

  #beginData(length: number): void {
    this.#sink.onDataBegin(this.#stream, length);
    this.#padding = 0;
    if ((this.#flags & FLAG.padded) !== 0) {
      if (length === 0) throw protocolError("padding without its length", CODE.frameSizeError);
      this.#state = "pad length";
    } else if (length === 0) {
      this.#endData();
    } else {
      this.#state = "data";
    }
  }

  #readPadLength(chunk: Buffer, at: number): number {
    this.#padding = chunk.readUInt8(at);
    this.#left -= 1 + this.#padding;
    // RFC 9113 6.1: "the length of the frame payload or greater" is a connection error PROTOCOL_ERROR.
    if (this.#left < 0) throw protocolError("padding longer than its frame");
    this.#state = "data";
    if (this.#left === 0) this.#beginPadding();
    return at + 1;
  }

  #readData(chunk: Buffer, at: number): number {
    const end = Math.min(chunk.length, at + this.#left);
    this.#left -= end - at;
    this.#cost += (end - at) >> COST_SHIFT;
    const isWhole = at === 0 && end === chunk.length;
    this.#sink.onDataChunk(isWhole ? chunk : chunk.subarray(at, end));
    if (this.#left === 0) this.#beginPadding();
    return end;
  }

  #beginPadding(): void {
    this.#left = this.#padding;
    if (this.#left === 0) this.#endData();
    else this.#state = "padding";
  }

  #endData(): void {
    this.#beginHead();
    this.#sink.onDataEnd((this.#flags & FLAG.endStream) !== 0);
  }

  #beginSkip(length: number): void {
    // Told before its payload: it may stand where no frame but one may stand.
    this.#endWhole(NONE);
    if (length > 0) this.#state = "skip";
  }

  #readSkipped(chunk: Buffer, at: number): number {
    const end = Math.min(chunk.length, at + this.#left);
    this.#left -= end - at;
    if (this.#left > 0) return end;
    if (this.#state === "padding") this.#endData();
    else this.#beginHead();
    return end;
  }

  #beginWhole(length: number): void {
    if (length > MAX_WHOLE_BYTES) {
      const message = `a frame of type ${this.#type} and ${length} octets`;
      throw FIXED_SIZE.has(this.#type)
        ? protocolError(message, CODE.frameSizeError)
        : flood(message);
    }
    if (length === 0) this.#endWhole(NONE);
    else this.#state = "whole";
  }

  #readWhole(chunk: Buffer, at: number): number {
    const length = this.#left;
    if (this.#have === 0 && chunk.length - at >= length) {
      this.#endWhole(chunk.subarray(at, at + length));
      return at + length;
    }
    if (this.#have === 0) this.#pieces = Buffer.allocUnsafe(length);
    const end = this.#gather(chunk, at, length);
    if (this.#have === length) this.#endWhole(this.#pieces);
    return end;
  }

  #endWhole(payload: Buffer): void {
    this.#beginHead();
    this.#sink.onFrame({
      type: this.#type,
      flags: this.#flags,
      stream: this.#stream,
      payload,
    });
  }
}
