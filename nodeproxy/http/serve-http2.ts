/**
 * Serves one caller's connection to a port that speaks HTTP/2 with prior knowledge, gRPC mostly: each request is
 * judged, and carried over one connection of its own to the application.
 *
 * Never sniffs: whoever says something else than HTTP/2 is ended.
 */
import { constants, performServerHandshake, type ServerHttp2Session } from "node:http2";
import type { Duplex } from "node:stream";
import type { Side } from "../flow/side.ts";
import type { HttpLimits } from "./http-limits.ts";
import { type Dial, Http2Back } from "./http2-back.ts";
import { type ExchangeLine, Http2Exchange } from "./http2-exchange.ts";
import { type FrameFault, Http2FrameWatch } from "./http2-frame-watch.ts";
import { frontSettings, SESSION_WINDOW } from "./http2-settings.ts";
import type { FieldLines, Gate, RefusedUnread } from "./message.ts";
import { duplexOf } from "./side-duplex.ts";

export interface Http2Options {
  readonly gate: Gate;
  readonly dial: Dial;
  readonly limits: HttpLimits;
  readonly refused: RefusedUnread;
  /** The caller's connection is gone. Once. */
  ended?(): void;
}

export interface ServedHttp2 {
  /** GOAWAY; ends with what runs. */
  drain(): void;
  /** Ends it now. */
  end(): void;
}

/** Of "stream": the fields as an object, frame flags, field lines. */
type StreamRest = readonly [fields: object, flags: number, lines?: FieldLines];

/**
 * RFC 9113 6.8: "an initial GOAWAY frame with the last stream identifier set to 2^31-1 and a NO_ERROR code". After any
 * that goes through it nghttp2 takes no more streams, and `node:http2` does not know its notice; so it is not told.
 */
const NOTICE = Buffer.from("0000080700000000007fffffff00000000", "hex");

export function serveHttp2(front: Side, options: Http2Options): ServedHttp2 {
  const served = new FrontSession(front, options);
  return served;
}

class FrontSession implements ServedHttp2 {
  readonly #options: Http2Options;
  readonly #back: Http2Back;
  readonly #watch: Http2FrameWatch;
  readonly #stream: Duplex;
  readonly #session: ServerHttp2Session;
  #isDraining = false;

  constructor(front: Side, options: Http2Options) {
    const { dial, limits } = options;
    this.#options = options;
    this.#back = new Http2Back(dial, limits);
    this.#watch = new Http2FrameWatch({
      headTimeoutMs: limits.headTimeoutMs,
      onFault: (fault) => this.#fault(fault),
    });
    const stream = duplexOf(front, { look: (chunk) => this.#watch.look(chunk) });
    this.#stream = stream;
    stream.on("error", ignore);
    this.#session = performServerHandshake(stream, frontSettings(limits));
    this.#listen(this.#session);
  }

  drain(): void {
    const session = this.#session;
    if (this.#isDraining || session.destroyed) return;
    this.#isDraining = true;
    // Requests that are on their way are still served, those of one round trip. What nghttp2 writes is whole frames.
    if (!this.#stream.write(NOTICE) || !session.ping(() => session.close())) session.close();
  }

  end(): void {
    this.#session.destroy();
  }

  #listen(session: ServerHttp2Session): void {
    const { gate, limits } = this.#options;
    const line: ExchangeLine = {
      gate,
      back: this.#back,
      maxFields: limits.fields,
      refused: (reason, status) => this.#options.refused(reason, status),
    };
    session.on("stream", (stream, ...rest: StreamRest) => {
      const [, flags, lines = []] = rest;
      const isWhole = (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0;
      new Http2Exchange(stream, line, isWhole).begin(lines);
    });
    session.once("connect", () => session.setLocalWindowSize(SESSION_WINDOW));
    session.on("error", (error: NodeJS.ErrnoException) => {
      const reason = reasonOf(error);
      if (reason !== undefined) this.#options.refused(reason, 0);
    });
    session.once("close", () => {
      this.#watch.close();
      this.#back.close();
      this.#options.ended?.();
    });
  }

  #fault(fault: FrameFault): void {
    this.#options.refused(fault, 0);
    const code =
      fault === "http2_flood"
        ? constants.NGHTTP2_ENHANCE_YOUR_CALM
        : constants.NGHTTP2_SETTINGS_TIMEOUT;
    this.#session.destroy(undefined, code);
  }
}

/** Nothing where it was the caller that ended it, or the network. */
function reasonOf({ code }: NodeJS.ErrnoException): string | undefined {
  switch (code) {
    case "ERR_HTTP2_ERROR":
      return "http2_protocol_error";
    case "ERR_HTTP2_TOO_MANY_INVALID_FRAMES":
    case "ERR_HTTP2_TOO_MANY_CUSTOM_SETTINGS":
      return "http2_flood";
    case undefined:
    default:
      return undefined;
  }
}

function ignore(): void {}
