/**
 * Does a peer send more frames than any honest one would, or a head that never ends? Follows the frames' heads
 * in the bytes as they come, before `node:http2` reads them, which has no limit of its own for most of it.
 *
 * Never looks into a frame, and refuses nothing that is merely wrong: that is nghttp2's.
 */
import { constants } from "node:http2";
import { FRAME } from "../http2/protocol.ts";

/** Frames at once, and a second. */
const LIMITS = {
  /** CVE-2019-9512. gRPC clients measure the path with one a round trip; what is not answered nghttp2 bounds. */
  ping: [20_000, 10_000],
  /** CVE-2019-9515. */
  settings: [100, 10],
  /** CVE-2023-44487; see also `streamResetBurst`. */
  reset: [20_000, 5_000],
  /** CVE-2019-9518. */
  emptyData: [1_000, 100],
  /** Some clients answer each DATA with two. */
  windowUpdate: [50_000, 50_000],
  /** PRIORITY and what is unknown: CVE-2019-9513, CVE-2026-48619. Older clients send one PRIORITY a request. */
  idle: [20_000, 5_000],
  /** CONTINUATION, of heads that are far smaller than one: CVE-2024-27983. */
  continuation: [1_000, 100],
} as const satisfies Record<string, readonly [number, number]>;

type FrameKind = keyof typeof LIMITS;
export type FrameFault = "http2_flood" | "http_head_timeout";

/** "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" */
const PREFACE_BYTES = 24;
const HEAD_BYTES = 9;
interface Bucket {
  left: number;
  atMs: number;
}

export interface FrameWatchOptions {
  readonly headTimeoutMs: number;
  /** Called once. */
  readonly onFault: (fault: FrameFault) => void;
}

export class Http2FrameWatch {
  readonly #options: FrameWatchOptions;
  readonly #buckets = new Map<FrameKind, Bucket>();
  readonly #head = Buffer.alloc(HEAD_BYTES);
  #headBytes = 0;
  /** Of the frame, or the preface, that is under way. */
  #left = PREFACE_BYTES;
  /** The frame that is under way leaves no head open; where it does the next has to go on with it. */
  #closesHead = false;
  /** A head, or at first the preface and SETTINGS, has begun and is not whole. */
  #isHeadOpen = true;
  #timer: NodeJS.Timeout | undefined;
  #isOver = false;

  constructor(options: FrameWatchOptions) {
    this.#options = options;
    this.#armTimer();
  }

  /** False once the peer went too far. */
  look(chunk: Buffer): boolean {
    for (let at = 0; at < chunk.length && !this.#isOver; ) {
      if (this.#left > 0) at += this.#pass(chunk.length - at);
      else at += this.#readHead(chunk, at);
    }
    if (this.#isHeadOpen) this.#armTimer();
    else this.#disarmTimer();
    return !this.#isOver;
  }

  close(): void {
    this.#isOver = true;
    this.#disarmTimer();
  }

  #pass(available: number): number {
    const passed = Math.min(this.#left, available);
    this.#left -= passed;
    if (this.#left === 0) this.#frameEnded();
    return passed;
  }

  #readHead(chunk: Buffer, at: number): number {
    const taken = chunk.copy(this.#head, this.#headBytes, at, at + HEAD_BYTES - this.#headBytes);
    this.#headBytes += taken;
    if (this.#headBytes < HEAD_BYTES) return taken;
    this.#headBytes = 0;
    this.#left = this.#head.readUIntBE(0, 3);
    this.#frameBegan(this.#head.readUInt8(3), this.#head.readUInt8(4));
    if (this.#left === 0) this.#frameEnded();
    return taken;
  }

  #frameBegan(type: number, flags: number): void {
    const isWhole = (flags & constants.NGHTTP2_FLAG_END_HEADERS) !== 0;
    if (type === FRAME.headers) this.#isHeadOpen = true;
    this.#closesHead =
      type === FRAME.settings ||
      ((type === FRAME.headers || type === FRAME.continuation) && isWhole);
    const kind = this.#kindOf(type, flags);
    if (kind) this.#count(kind);
  }

  #frameEnded(): void {
    if (this.#closesHead) this.#isHeadOpen = false;
    this.#closesHead = false;
  }

  #kindOf(type: number, flags: number): FrameKind | undefined {
    switch (type) {
      case FRAME.headers:
      case FRAME.goAway:
      case FRAME.pushPromise:
        return undefined;
      case FRAME.data: {
        const isLast = (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0;
        return this.#left === 0 && !isLast ? "emptyData" : undefined;
      }
      case FRAME.resetStream:
        return "reset";
      case FRAME.settings:
        return "settings";
      case FRAME.ping:
        return "ping";
      case FRAME.windowUpdate:
        return "windowUpdate";
      case FRAME.continuation:
        return "continuation";
      default:
        return "idle";
    }
  }

  #count(kind: FrameKind): void {
    const [burst, perSecond] = LIMITS[kind];
    let bucket = this.#buckets.get(kind);
    if (!bucket) {
      bucket = { left: burst, atMs: performance.now() };
      this.#buckets.set(kind, bucket);
    }
    bucket.left -= 1;
    if (bucket.left >= 0) return;
    // The clock is looked at only where the bucket is empty: most never are.
    const now = performance.now();
    bucket.left += Math.min(burst, Math.floor(((now - bucket.atMs) / 1000) * perSecond));
    bucket.atMs = now;
    if (bucket.left < 0) this.#fault("http2_flood");
  }

  #armTimer(): void {
    if (this.#isOver) return;
    this.#timer ??= setTimeout(() => this.#fault("http_head_timeout"), this.#options.headTimeoutMs);
  }

  #disarmTimer(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #fault(fault: FrameFault): void {
    this.close();
    this.#options.onFault(fault);
  }
}
