/**
 * One HTTP/2 connection of CONNECT streams over a TLS socket, at either end (RFC 9113).
 *
 *   open ──► closing (GOAWAY said; open streams go on) ──► closed
 *
 * Ties reader, streams and writer together; judges no frame (`incoming.ts`) and asks nobody's identity.
 */
import type { Socket } from "node:net";
import { FrameReader } from "../http2/frame-reader.ts";
import { FrameWriter } from "../http2/frame-writer.ts";
import { Http2Error } from "../http2/http2-error.ts";
import { Incoming, type IncomingLine } from "../http2/incoming.ts";
import type { RequestMessage } from "../http2/incoming-headers.ts";
import { Outgoing } from "../http2/outgoing.ts";
import { applySettings, DEFAULT_SETTINGS, type PeerSettings } from "../http2/peer-settings.ts";
import { CODE, MAX_WINDOW } from "../http2/protocol.ts";
import type { RequestFields } from "../http2/request-fields.ts";
import { SendQueue } from "../http2/send-queue.ts";
import { StreamTable } from "../http2/stream-table.ts";
import { TurnReader } from "../http2/turn-reader.ts";
import { WindowPool } from "../http2/window-pool.ts";
import { minRoundTripMs } from "../sys/tcp-socket.ts";
import { descriptorOf } from "../tcp/accept.ts";
import { greetingFor, incomingOf, MAX_FRAME_BYTES } from "./announced.ts";
import { encodeRequest, encodeStatus } from "./header-encoder.ts";
import { HboneStream } from "./stream.ts";
import type { StreamLine } from "./stream-line.ts";

/** For a peer that takes neither our last words nor the end. */
const CLOSE_TIMEOUT_MS = 1_000;

export interface ConnectionOwner {
  /** Server. Its fields are those of HTTP/2; who may call whom is the owner's to say. */
  onRequest?(stream: HboneStream, request: RequestFields): void;
  /** Server: a request that HTTP/2 does not let be one; it was reset. */
  onMalformed?(): void;
  /** The peer's first SETTINGS: it speaks HTTP/2. */
  onReady?(): void;
  /** The peer takes no more streams. */
  onGoAway?(): void;
  onStreamClosed?(stream: HboneStream): void;
  /** Once, last. */
  onClosed(error: Http2Error): void;
}

export interface ConnectionOptions {
  readonly isServer: boolean;
  /** Announced to the peer; what is beyond is the owner's to refuse. */
  readonly maxStreams: number;
}

export class HboneConnection implements StreamLine, IncomingLine<HboneStream> {
  readonly socket: Socket;
  readonly streams = new StreamTable<HboneStream>();
  readonly out: Outgoing;
  readonly windows: WindowPool;
  readonly #owner: ConnectionOwner;
  readonly #isServer: boolean;
  readonly #incoming: Incoming<HboneStream>;
  readonly #reader: TurnReader;
  readonly #queue = new SendQueue();
  readonly #writer: FrameWriter;
  /** Who waits for the answer to which PING; they come in order. */
  readonly #pings: (() => void)[] = [];
  #peer: PeerSettings = DEFAULT_SETTINGS;
  #isReady = false;
  /** RFC 7541 4.2: the peer's table has become smaller than the default, which is to be confirmed once. */
  #isTableSizeDue = false;
  #nextId = 1;
  /** Highest stream of the peer that is still looked at. */
  #lastTaken = MAX_WINDOW;
  #endedBy: string | undefined;
  #goodbye: NodeJS.Timeout | undefined;
  #state: "open" | "closing" | "closed" = "open";

  constructor(socket: Socket, owner: ConnectionOwner, options: ConnectionOptions) {
    this.socket = socket;
    this.windows = new WindowPool(() => minRoundTripMs(descriptorOf(socket)));
    this.#owner = owner;
    this.#isServer = options.isServer;
    this.#writer = new FrameWriter(socket, this.#queue, (error) => this.#fail(error));
    this.out = new Outgoing(this.#writer);
    const { isServer, maxStreams } = options;
    this.#incoming = new Incoming(this, incomingOf(isServer));
    const limits = { expectsPreface: isServer, maxFrameBytes: MAX_FRAME_BYTES };
    const frames = new FrameReader(this.#incoming, limits);
    this.#reader = new TurnReader(socket, frames, {
      onError: (error) => this.#fail(error),
      onLost: () => this.#lost(),
    });
    this.out.greet(isServer, greetingFor(maxStreams));
    socket.on("error", ignore);
  }

  get endedBy(): string | undefined {
    return this.#endedBy;
  }

  /** No new streams: GOAWAY was said or heard, or it is gone. */
  get isClosing(): boolean {
    return this.#state !== "open";
  }

  get isClosed(): boolean {
    return this.#state === "closed";
  }

  /** Streams at once that the peer takes; unlimited until it has said so. */
  get maxStreams(): number {
    return this.#peer.maxConcurrentStreams;
  }

  /** Client: CONNECT. None where the connection takes no more. */
  request(authority: string): HboneStream | undefined {
    if (this.#state !== "open" || this.#nextId > MAX_WINDOW) return undefined;
    const id = this.#nextId;
    this.#nextId += 2;
    this.streams.begin(id);
    const stream = new HboneStream(id, this, this.#peer.initialWindow);
    this.streams.add(stream);
    this.out.headers(id, encodeRequest(authority, this.#takeTableSizeDue()), false);
    return stream;
  }

  /** `onPong` is called once the peer answers. */
  ping(onPong: () => void): void {
    this.#pings.push(onPong);
    this.out.ping();
  }

  /** No new streams; ends with the last one that is open. `isAtOnce`: refuses those that are on their way. */
  close(isAtOnce = false): void {
    if (this.#state !== "open") return;
    this.#state = "closing";
    if (!this.#isServer) {
      this.out.goAway(0, CODE.noError);
      this.#endIfUnused();
      return;
    }
    // RFC 9113 6.8: requests on their way are still taken; after one round trip there are none.
    if (isAtOnce) {
      this.#closeForNew();
      return;
    }
    this.out.goAway(MAX_WINDOW, CODE.noError);
    this.#goodbye = setTimeout(() => this.#closeForNew(), CLOSE_TIMEOUT_MS);
    this.ping(() => this.#closeForNew());
  }

  /** Ends now, with all its streams, which the peer takes for reset. `reason`: for the log of each. */
  destroy(reason?: string): void {
    if (this.#state !== "closed") this.#endedBy = reason;
    this.#fail(new Http2Error("lost", CODE.cancel, "ended by us"));
  }

  queueData(stream: HboneStream): void {
    this.#queue.add(stream);
    if (this.#queue.hasData) this.#writer.schedule();
  }

  answer(id: number, status: number, isLast: boolean): void {
    this.out.headers(id, encodeStatus(status, this.#takeTableSizeDue()), isLast);
  }

  release(octets: number): void {
    this.#incoming.release(octets);
  }

  streamClosed(stream: HboneStream, wasResetByUs: boolean): void {
    if (!this.streams.remove(stream, wasResetByUs)) return;
    this.windows.giveBack(stream.grown);
    this.#owner.onStreamClosed?.(stream);
    if (this.#state === "closing" && this.streams.size === 0)
      setImmediate(() => this.#endIfUnused());
  }

  onRequest(id: number, { request }: RequestMessage): HboneStream | undefined {
    if (id > this.#lastTaken) return undefined;
    const stream = new HboneStream(id, this, this.#peer.initialWindow);
    this.streams.add(stream);
    this.#owner.onRequest?.(stream, request);
    return stream;
  }

  onMalformed(): void {
    this.#owner.onMalformed?.();
  }

  onSettings(payload: Buffer): void {
    const before = this.#peer;
    const now = applySettings(before, payload, !this.#isServer);
    this.#peer = now;
    if (now.headerTableSize < before.headerTableSize) this.#isTableSizeDue = true;
    this.#queue.maxFrame = now.maxFrame;
    // RFC 9113 6.9.2: windows of open streams change by the difference, and may become negative.
    const wider = now.initialWindow - before.initialWindow;
    if (wider !== 0) {
      for (const stream of this.streams) {
        if (stream.widen(wider, MAX_WINDOW)) continue;
        throw new Http2Error(
          "http2_protocol_error",
          CODE.flowControlError,
          "windows beyond 2^31-1",
        );
      }
    }
    this.out.settingsAck();
    if (this.#isReady) return;
    this.#isReady = true;
    this.#owner.onReady?.();
  }

  onPing(payload: Buffer): void {
    this.out.pong(payload);
  }

  onPong(): void {
    this.#pings.shift()?.();
  }

  /** Ours above `last` were not looked at: they may be asked elsewhere. */
  onGoAway(last: number): void {
    if (this.#state === "open") this.#state = "closing";
    if (this.#isServer) {
      this.#lastTaken = this.streams.last;
    } else {
      for (const stream of this.streams) if (stream.id > last) stream.abort(CODE.refusedStream);
    }
    this.#owner.onGoAway?.();
    this.#endIfUnused();
  }

  widen(octets: number): boolean {
    const isRight = this.#queue.widen(octets, MAX_WINDOW);
    if (this.#queue.hasData) this.#writer.schedule();
    return isRight;
  }

  #takeTableSizeDue(): boolean {
    const isDue = this.#isTableSizeDue;
    this.#isTableSizeDue = false;
    return isDue;
  }

  /** Server: nobody asks for more, or it is refused. */
  #closeForNew(): void {
    if (this.#state !== "closing" || this.#lastTaken !== MAX_WINDOW) return;
    clearTimeout(this.#goodbye);
    this.#lastTaken = this.streams.last;
    this.out.goAway(this.#lastTaken, CODE.noError);
    this.#endIfUnused();
  }

  #endIfUnused(): void {
    const isAsked = this.#isServer && this.#lastTaken === MAX_WINDOW;
    if (this.#state !== "closing" || this.streams.size > 0 || isAsked) return;
    this.#closed(new Http2Error("lost", CODE.noError, "closed"));
    this.#end();
  }

  /** The end of all, which the peer is told of. */
  #fail(error: Http2Error): void {
    if (this.#state === "closed") return;
    this.out.goAway(this.#isServer ? this.streams.last : 0, error.code);
    this.#closed(error);
    this.#end();
  }

  /** What was written goes out; what arrives is thrown away. */
  #end(): void {
    this.#writer.end();
    const timeout = setTimeout(() => this.socket.destroy(), CLOSE_TIMEOUT_MS);
    this.socket.once("close", () => clearTimeout(timeout));
  }

  #lost(): void {
    this.#writer.destroy();
    if (this.#state !== "closed") {
      this.#closed(new Http2Error("lost", CODE.cancel, "the connection is gone"));
    }
    this.socket.destroy();
  }

  #closed(error: Http2Error): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    clearTimeout(this.#goodbye);
    this.#reader.stop();
    for (const stream of this.streams) stream.lineLost();
    this.#pings.length = 0;
    this.#owner.onClosed(error);
  }
}

function ignore(): void {}
