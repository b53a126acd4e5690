/**
 * One HTTP/2 connection of requests and answers, at either end (RFC 9113).
 *
 *   open ──► closing (GOAWAY said; what runs goes on) ──► closed
 *
 * Ties reader, streams and writer together; judges no frame (`http2/incoming.ts`) and no request.
 */
import type { Side } from "../flow/side.ts";
import { FrameReader } from "../http2/frame-reader.ts";
import { Http2Error } from "../http2/http2-error.ts";
import { Incoming, type IncomingLine } from "../http2/incoming.ts";
import type { RequestMessage } from "../http2/incoming-headers.ts";
import type { Outgoing } from "../http2/outgoing.ts";
import { applySettings, DEFAULT_SETTINGS, type PeerSettings } from "../http2/peer-settings.ts";
import { CODE, MAX_WINDOW } from "../http2/protocol.ts";
import type { RequestFields } from "../http2/request-fields.ts";
import { StreamTable } from "../http2/stream-table.ts";
import { TurnFeed } from "../http2/turn-feed.ts";
import { HeadTimer } from "./head-timer.ts";
import { HeldOctets } from "./held-octets.ts";
import type { HttpLimits } from "./http-limits.ts";
import { isHttpRequest } from "./http2-head.ts";
import {
  BACK_FLOODS,
  backGreeting,
  FRONT_FLOODS,
  frontGreeting,
  listsOf,
  MAX_FRAME_BYTES,
  MAX_STREAMS,
  SESSION_WINDOW,
} from "./http2-settings.ts";
import type { MessageLine } from "./message-line.ts";
import { MessageStream } from "./message-stream.ts";
import { RequestQueue } from "./request-queue.ts";
import { type SaidFields, SessionOutput } from "./session-output.ts";
import { type SideTransport, transportOf } from "./side-transport.ts";

/** For a peer that does not answer our PING. */
const GOODBYE_MS = 1_000;

export interface SessionOwner {
  /** Server. */
  onRequest?(stream: MessageStream, message: RequestMessage): void;
  /** Client: the peer's first SETTINGS. */
  onReady?(): void;
  /** Client: the peer takes no more streams. */
  onGoAway?(): void;
  /** Client. */
  onStreamClosed?(): void;
  /** Once, last. */
  onClosed(error: Http2Error): void;
}

export interface SessionOptions {
  readonly isServer: boolean;
  readonly limits: HttpLimits;
  /** Client: the number of its first request; 1. */
  readonly firstId?: number;
}

export class MessageSession implements MessageLine, IncomingLine<MessageStream> {
  readonly isServer: boolean;
  readonly streams = new StreamTable<MessageStream>();
  readonly output: SessionOutput;
  readonly #owner: SessionOwner;
  readonly #transport: SideTransport;
  readonly #frames: FrameReader;
  readonly #incoming: Incoming<MessageStream>;
  readonly #feed: TurnFeed;
  readonly #headTimer: HeadTimer | undefined;
  readonly #held: HeldOctets;
  readonly #requests: RequestQueue;
  #peer: PeerSettings = DEFAULT_SETTINGS;
  #isReady = false;
  /** Server: highest stream that is still looked at. None: all are, and even the highest of all may have come. */
  #lastTaken: number | undefined;
  #onPong: (() => void) | undefined;
  #goodbye: NodeJS.Timeout | undefined;
  #state: "open" | "closing" | "closed" = "open";

  constructor(side: Side, owner: SessionOwner, { isServer, limits, firstId }: SessionOptions) {
    this.isServer = isServer;
    this.#owner = owner;
    this.#incoming = new Incoming(this, {
      isServer,
      lists: listsOf(limits),
      floods: isServer ? FRONT_FLOODS : BACK_FLOODS,
      window: SESSION_WINDOW,
    });
    this.#held = new HeldOctets((octets) => this.#incoming.release(octets));
    this.#requests = new RequestQueue(this, firstId);
    this.#frames = new FrameReader(this.#incoming, {
      expectsPreface: isServer,
      maxFrameBytes: MAX_FRAME_BYTES,
    });
    const hearer = {
      onError: (error: Http2Error) => this.#fail(error),
      onRead: () => this.#headTimer?.look(this.#incoming.isHeadOpen || this.#frames.isWithinHead),
      onLost: () => this.#lost(),
    };
    this.#feed = new TurnFeed(this.#frames, hearer, () => this.#transport);
    this.#transport = transportOf(side, {
      onBytes: (chunk) => this.#feed.take(chunk),
      onEnd: () => this.#feed.lost(),
    });
    const goOn = () => this.#requests.goOn();
    this.output = new SessionOutput(this.#transport, (error) => this.#fail(error), goOn);
    this.out.greet(isServer, isServer ? frontGreeting(limits) : backGreeting(limits));
    if (isServer) this.#headTimer = new HeadTimer(limits.headTimeoutMs, () => this.#headLate());
    this.#headTimer?.look(true);
  }

  get out(): Outgoing {
    return this.output.frames;
  }

  /** It takes requests: a client's as long as it has numbers for them. */
  get isOpen(): boolean {
    return this.#state === "open" && !this.#requests.isSpent;
  }

  get isClosed(): boolean {
    return this.#state === "closed";
  }

  /** Client: requests at once that the server takes. */
  get maxStreams(): number {
    return this.#requests.max;
  }

  /** Client. None where it takes no more. */
  request(): MessageStream | undefined {
    return this.isOpen ? new MessageStream(this) : undefined;
  }

  sendRequest(stream: MessageStream, said: SaidFields): void {
    this.#requests.add(stream, said);
  }

  /** No new streams; ends with the last one that is open. */
  close(): void {
    if (this.#state !== "open") return;
    this.#state = "closing";
    if (!this.isServer) {
      this.out.goAway(0, CODE.noError);
      this.#endIfUnused();
      return;
    }
    // RFC 9113 6.8: requests on their way are still taken; after one round trip there are none.
    this.out.goAway(MAX_WINDOW, CODE.noError);
    this.#goodbye = setTimeout(() => this.#closeForNew(), GOODBYE_MS);
    this.#onPong = () => this.#closeForNew();
    this.out.ping();
  }

  /** Ends now, with all its streams. */
  destroy(): void {
    this.#fail(new Http2Error("lost", CODE.noError, "ended by us"));
  }

  hold(octets: number): void {
    this.#held.add(octets);
  }

  free(octets: number): void {
    this.#held.remove(octets);
  }

  streamClosed(stream: MessageStream, wasResetByUs: boolean): void {
    if (stream.id === 0) {
      this.#requests.remove(stream);
      this.#owner.onStreamClosed?.();
      return;
    }
    if (!this.streams.remove(stream, wasResetByUs)) return;
    if (!this.isServer) this.#requests.left();
    this.#owner.onStreamClosed?.();
    if (this.#state === "closing" && this.streams.size === 0) {
      setImmediate(() => this.#endIfUnused());
    }
  }

  isGood(request: RequestFields, fields: readonly string[]): boolean {
    return isHttpRequest(request, fields);
  }

  onRequest(id: number, message: RequestMessage): MessageStream | undefined {
    if (id > (this.#lastTaken ?? id) || this.streams.size >= MAX_STREAMS) return undefined;
    const stream = new MessageStream(this);
    stream.open(id, this.#peer.initialWindow);
    this.streams.add(stream);
    this.#owner.onRequest?.(stream, message);
    return stream;
  }

  onSettings(payload: Buffer): void {
    const before = this.#peer;
    const now = applySettings(before, payload, !this.isServer);
    this.#peer = now;
    this.output.setPeer(now);
    // RFC 9113 6.9.2: windows of open streams change by the difference, and may become negative.
    const wider = now.initialWindow - before.initialWindow;
    if (wider !== 0) {
      for (const stream of this.streams) {
        if (stream.widen(wider, MAX_WINDOW)) continue;
        throw new Http2Error("http2_protocol_error", CODE.flowControlError, "windows too large");
      }
    }
    this.out.settingsAck();
    this.#requests.max = Math.min(MAX_STREAMS, now.maxConcurrentStreams);
    if (this.#isReady) return;
    this.#isReady = true;
    this.#owner.onReady?.();
  }

  onPing(payload: Buffer): void {
    this.out.pong(payload);
  }

  onPong(): void {
    const onPong = this.#onPong;
    this.#onPong = undefined;
    onPong?.();
  }

  /** Ours above `last` were not looked at: they may be asked elsewhere. */
  onGoAway(last: number): void {
    if (this.#state === "open") this.#state = "closing";
    if (this.isServer) this.#lastTaken = this.streams.last;
    else {
      this.#requests.refuse();
      for (const stream of this.streams) if (stream.id > last) stream.abort(CODE.refusedStream);
    }
    this.#owner.onGoAway?.();
    this.#endIfUnused();
  }

  widen(octets: number): boolean {
    return this.output.widen(octets);
  }

  /** For its queue. */
  openRequest(stream: MessageStream, said: SaidFields): void {
    const id = this.#requests.takeId();
    this.streams.begin(id);
    stream.open(id, this.#peer.initialWindow);
    this.streams.add(stream);
    this.output.sendFields(id, said);
    stream.goOn();
  }

  #headLate(): void {
    this.#fail(new Http2Error("http_head_timeout", CODE.settingsTimeout, "a head that never ends"));
  }

  /** Server: nobody asks for more, or it is refused. */
  #closeForNew(): void {
    if (this.#state !== "closing" || this.#lastTaken !== undefined) return;
    clearTimeout(this.#goodbye);
    this.#lastTaken = this.streams.last;
    this.out.goAway(this.#lastTaken, CODE.noError);
    this.#endIfUnused();
  }

  #endIfUnused(): void {
    const isAsked = this.isServer && this.#lastTaken === undefined;
    if (this.#state !== "closing" || this.streams.size > 0 || isAsked) return;
    this.#closed(new Http2Error("lost", CODE.noError, "closed"));
    this.output.end();
  }

  /** The end of all, which the peer is told of, if it was not: nor may it stand behind what that does not take. */
  #fail(error: Http2Error): void {
    this.#transport.expire();
    if (this.#state === "closed") return;
    this.out.goAway(this.isServer ? this.streams.last : 0, error.code);
    this.#closed(error);
    this.output.end();
  }

  #lost(): void {
    this.output.destroy();
    if (this.#state !== "closed") {
      this.#closed(new Http2Error("lost", CODE.cancel, "the connection is gone"));
    }
    this.#transport.destroy();
  }

  #closed(error: Http2Error): void {
    this.#state = "closed";
    clearTimeout(this.#goodbye);
    this.#headTimer?.close();
    this.#feed.stop();
    this.#requests.lose();
    for (const stream of this.streams) stream.lineLost();
    // Behind what each of the streams tells.
    process.nextTick(() => this.#owner.onClosed(error));
  }
}
