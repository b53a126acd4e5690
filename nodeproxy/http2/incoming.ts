/**
 * What each frame of the peer means, by RFC 9113 5.1 and 6: the one place that judges frames.
 *
 * Errors of one stream reset it; those of the connection are thrown as `Http2Error`, which ends it.
 */
import { FloodGuard, type FloodLimits } from "./flood-guard.ts";
import type { Frame, FrameSink } from "./frame-reader.ts";
import type { FramedStream } from "./framed-stream.ts";
import { dependencyOf, HeaderBlocks } from "./header-block.ts";
import type { ListLimits } from "./hpack-decoder.ts";
import { protocolError } from "./http2-error.ts";
import { type HeadersLine, IncomingHeaders } from "./incoming-headers.ts";
import { CODE, FLAG, FRAME, MAX_WINDOW } from "./protocol.ts";
import { CONNECTION_PARTS, ReceiveWindow } from "./receive-window.ts";

/** What the connection does about it. */
export interface IncomingLine<S extends FramedStream> extends HeadersLine<S> {
  onSettings(payload: Buffer): void;
  onPing(payload: Buffer): void;
  onPong(payload: Buffer): void;
  /** Highest of our streams that the peer looks at. */
  onGoAway(last: number): void;
  /** The connection's own window. False beyond 2^31-1. */
  widen(octets: number): boolean;
}

export interface IncomingOptions {
  readonly isServer: boolean;
  readonly lists: ListLimits;
  readonly floods: FloodLimits;
  /** Of the connection, in octets. */
  readonly window: number;
}

export class Incoming<S extends FramedStream> implements FrameSink {
  readonly #line: IncomingLine<S>;
  readonly #guard: FloodGuard;
  readonly #blocks: HeaderBlocks;
  readonly #headers: IncomingHeaders<S>;
  readonly #window: ReceiveWindow;
  /** Of the DATA that is being read; none where nobody reads it. */
  #stream: S | undefined;
  /** Octets of the frame with padding, and without. */
  #length = 0;
  #octets = 0;
  #hasSettings = false;

  constructor(line: IncomingLine<S>, options: IncomingOptions) {
    this.#line = line;
    this.#guard = new FloodGuard(options.floods);
    this.#blocks = new HeaderBlocks(options.lists.bytes);
    this.#headers = new IncomingHeaders(line, this.#guard, options);
    this.#window = new ReceiveWindow(options.window, CONNECTION_PARTS);
  }

  /** A header block has begun that is not whole, or there are no SETTINGS yet. */
  get isHeadOpen(): boolean {
    return !this.#hasSettings || this.#blocks.openStream !== undefined;
  }

  /** Octets were read: the peer may send as many more. */
  release(octets: number): void {
    const increment = this.#window.release(octets);
    if (increment > 0) this.#line.out.windowUpdate(0, increment);
  }

  onDataBegin(id: number, length: number): void {
    this.#checkOrder(FRAME.data, id);
    if (this.#line.streams.isIdle(id)) throw protocolError("DATA on an idle stream");
    if (!this.#window.take(length)) {
      throw protocolError("DATA beyond the connection's window", CODE.flowControlError);
    }
    this.#length = length;
    this.#octets = 0;
    this.#stream = this.#readerOf(id, length);
  }

  onDataChunk(chunk: Buffer): void {
    this.#octets += chunk.length;
    const stream = this.#stream;
    if (!stream) return;
    if (stream.contentLeft !== undefined) {
      stream.contentLeft -= chunk.length;
      // RFC 9113 8.1.1: malformed, and nobody is to see it.
      if (stream.contentLeft < 0 && !stream.destroyed) {
        this.#headers.streamError(stream.id, CODE.protocolError);
      }
    }
    stream.receive(chunk);
  }

  onDataEnd(isLast: boolean): void {
    const stream = this.#stream;
    this.#stream = undefined;
    if (!isLast && this.#octets === 0) this.#guard.count("empty DATA");
    if (!stream) {
      this.release(this.#length);
      return;
    }
    if (this.#length > this.#octets) stream.receivePadding(this.#length - this.#octets);
    if (isLast && !stream.destroyed) this.#headers.streamEnded(stream);
  }

  onFrame(frame: Frame): void {
    this.#checkOrder(frame.type, frame.stream);
    switch (frame.type) {
      case FRAME.headers:
        this.#onHeaders(frame);
        return;
      case FRAME.continuation:
        this.#onContinuation(frame);
        return;
      case FRAME.resetStream:
        this.#onReset(frame);
        return;
      case FRAME.windowUpdate:
        this.#onWindowUpdate(frame);
        return;
      case FRAME.settings:
        this.#onSettings(frame);
        return;
      case FRAME.ping:
        this.#onPing(frame);
        return;
      case FRAME.goAway:
        this.#onGoAway(frame);
        return;
      case FRAME.priority:
        this.#onPriority(frame);
        return;
      case FRAME.pushPromise:
        // RFC 9113 8.4: with ENABLE_PUSH 0, and from clients always, a connection error.
        throw protocolError("PUSH_PROMISE");
      default:
        // RFC 9113 4.1: "Implementations MUST ignore and discard frames of unknown types."
        this.#guard.count("frames that mean nothing");
    }
  }

  /** RFC 9113 3.4: SETTINGS first. 6.10: nothing between HEADERS and its CONTINUATION. */
  #checkOrder(type: number, id: number): void {
    if (!this.#hasSettings && type !== FRAME.settings)
      throw protocolError("SETTINGS do not come first");
    const { openStream } = this.#blocks;
    if (openStream === undefined) return;
    if (type !== FRAME.continuation || id !== openStream) {
      throw protocolError("a frame within a header block");
    }
  }

  /** RFC 9113 6.1 and 5.1. */
  #readerOf(id: number, length: number): S | undefined {
    const { streams } = this.#line;
    const stream = streams.get(id);
    if (!stream) {
      if (streams.endingOf(id) !== "reset by us") this.#headers.streamError(id, CODE.streamClosed);
      return undefined;
    }
    if (stream.hasFarEnded) {
      this.#headers.streamError(id, CODE.streamClosed);
      return undefined;
    }
    if (!stream.take(length)) {
      this.#headers.streamError(id, CODE.flowControlError);
      return undefined;
    }
    return stream;
  }

  #onHeaders(frame: Frame): void {
    if (frame.stream === 0) throw protocolError("HEADERS on stream 0");
    const block = this.#blocks.begin(frame);
    if (block) this.#headers.onBlock(block);
  }

  #onContinuation(frame: Frame): void {
    const block = this.#blocks.continue(frame);
    if (block) this.#headers.onBlock(block);
  }

  #onReset({ stream: id, payload }: Frame): void {
    expectLength(payload, 4);
    const { streams } = this.#line;
    if (streams.isIdle(id)) throw protocolError("RST_STREAM on an idle stream");
    this.#guard.count("RST_STREAM");
    const stream = streams.get(id);
    if (!stream) return;
    if (!stream.isAnswered) this.#guard.count("RST_STREAM of a request without answer");
    stream.abort(payload.readUInt32BE(0));
  }

  #onWindowUpdate({ stream: id, payload }: Frame): void {
    expectLength(payload, 4);
    this.#guard.count("WINDOW_UPDATE");
    const increment = payload.readUInt32BE(0) & MAX_WINDOW;
    if (id === 0) {
      if (increment === 0) throw protocolError("a window update of 0");
      if (!this.#line.widen(increment)) {
        throw protocolError("a window beyond 2^31-1", CODE.flowControlError);
      }
      return;
    }
    if (this.#line.streams.isIdle(id)) throw protocolError("WINDOW_UPDATE on an idle stream");
    const stream = this.#line.streams.get(id);
    // RFC 9113 6.9: may still come for a stream that is closed.
    if (!stream) return;
    if (increment === 0) this.#headers.streamError(id, CODE.protocolError);
    else if (!stream.widen(increment, MAX_WINDOW)) {
      this.#headers.streamError(id, CODE.flowControlError);
    }
  }

  #onSettings({ flags, stream, payload }: Frame): void {
    if (stream !== 0) throw protocolError("SETTINGS on a stream");
    if ((flags & FLAG.ack) !== 0) {
      expectLength(payload, 0);
      if (!this.#hasSettings) throw protocolError("SETTINGS do not come first");
      this.#guard.count("frames that mean nothing");
      return;
    }
    this.#guard.count("SETTINGS");
    this.#hasSettings = true;
    this.#line.onSettings(payload);
  }

  #onPing({ flags, stream, payload }: Frame): void {
    expectLength(payload, 8);
    if (stream !== 0) throw protocolError("PING on a stream");
    this.#guard.count("PING");
    if ((flags & FLAG.ack) === 0) this.#line.onPing(payload);
    else this.#line.onPong(payload);
  }

  #onGoAway({ stream, payload }: Frame): void {
    if (stream !== 0) throw protocolError("GOAWAY on a stream");
    if (payload.length < 8) throw protocolError("GOAWAY cut short", CODE.frameSizeError);
    this.#guard.count("frames that mean nothing");
    this.#line.onGoAway(payload.readUInt32BE(0) & MAX_WINDOW);
  }

  /** RFC 9113 6.3: checked, and otherwise ignored. */
  #onPriority({ stream: id, payload }: Frame): void {
    if (id === 0) throw protocolError("PRIORITY on stream 0");
    this.#guard.count("frames that mean nothing");
    if (payload.length !== 5) this.#headers.streamError(id, CODE.frameSizeError);
    else if (dependencyOf(payload, 0) === id) this.#headers.streamError(id, CODE.protocolError);
  }
}

function expectLength(payload: Buffer, length: number): void {
  if (payload.length === length) return;
  throw protocolError(`a payload of ${payload.length} octets, not ${length}`, CODE.frameSizeError);
}
