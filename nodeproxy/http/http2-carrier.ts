/**
 * One session of HTTP/2 to a server, with as many requests at once as the server takes: those of one caller's
 * connection, or those of one pod where a keeper has it.
 *
 * Knows of a stream that failed whether the server can have seen it; never sends one again.
 */
import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants } from "node:http2";
import type { Side } from "../flow/side.ts";
import type { HttpLimits } from "./http-limits.ts";
import { linesOf } from "./http2-head.ts";
import { backSettings, SESSION_WINDOW } from "./http2-settings.ts";
import type { RequestHead } from "./message.ts";
import { duplexOf } from "./side-duplex.ts";

/** Whatever the server takes: beyond it another session is worth its cost. */
const MAX_STREAMS = 1_000;

export interface CarrierUser {
  /** A request may be sent, within the call. */
  onCarrier(carrier: Http2Carrier): void;
  /** `status`: of the answer; 503 where there is none. */
  onUnreachable(code: string, status?: number): void;
}

export interface CarrierKeeper {
  /** The server has said how many requests it takes. Once. */
  onReady(): void;
  /** A request is over. */
  onLeft(): void;
  /** It takes no more requests; what runs goes on. */
  onClosing(): void;
  /** It is gone. Once. */
  onClosed(): void;
}

/** What became of a stream whose answer is not whole. */
export type BrokenStream = "refused" | "lost" | "reset";

export class Http2Carrier {
  readonly #session: ClientHttp2Session;
  readonly #keeper: CarrierKeeper;
  #most = MAX_STREAMS;
  #running = 0;
  #isClosing = false;
  /** As a GOAWAY has said: those behind it the server has not looked at. */
  #lastStream = Number.POSITIVE_INFINITY;

  constructor(side: Side, limits: HttpLimits, keeper: CarrierKeeper) {
    this.#keeper = keeper;
    const stream = duplexOf(side);
    stream.on("error", ignore);
    this.#session = connect("http://app", {
      ...backSettings(limits),
      createConnection: () => stream,
    });
    this.#listen(this.#session);
  }

  /** It takes requests. */
  get isOpen(): boolean {
    return !this.#isClosing && !this.#session.closed && !this.#session.destroyed;
  }

  /** For one request more. */
  get hasRoom(): boolean {
    return this.isOpen && this.#running < this.#most;
  }

  get running(): number {
    return this.#running;
  }

  /** Nothing where the head has something that HTTP/2 cannot say. */
  request(head: RequestHead, isWhole: boolean): ClientHttp2Stream | undefined {
    try {
      const options = { endStream: isWhole, waitForTrailers: !isWhole };
      const stream = this.#session.request(linesOf(head), options);
      this.#running += 1;
      stream.once("close", () => {
        this.#running -= 1;
        this.#keeper.onLeft();
      });
      return stream;
    } catch {
      return undefined;
    }
  }

  brokenHow({ rstCode, id }: ClientHttp2Stream): BrokenStream {
    const isUnseen = id === undefined || id > this.#lastStream;
    if (isUnseen || rstCode === constants.NGHTTP2_REFUSED_STREAM) return "refused";
    return this.#session.destroyed ? "lost" : "reset";
  }

  /** No request is to come; what runs goes on. */
  close(): void {
    this.#session.close();
  }

  /** Now, with all that runs. */
  destroy(): void {
    this.#session.destroy();
  }

  #listen(session: ClientHttp2Session): void {
    // Each stream is told too; without listeners an error would end the process.
    session.on("error", ignore);
    session.once("connect", () => session.setLocalWindowSize(SESSION_WINDOW));
    session.once("remoteSettings", () => this.#keeper.onReady());
    session.on("remoteSettings", ({ maxConcurrentStreams = MAX_STREAMS }) => {
      this.#most = Math.min(MAX_STREAMS, maxConcurrentStreams);
    });
    session.on("goaway", (_code, lastStream) => {
      this.#isClosing = true;
      this.#lastStream = lastStream;
      this.#keeper.onClosing();
    });
    session.once("close", () => this.#keeper.onClosed());
  }
}

function ignore(): void {}
