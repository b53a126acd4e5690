/**
 * Serves one caller's connection to a port that speaks HTTP/2 with prior knowledge, gRPC mostly: each request is
 * judged, and carried over one connection of its own to the application.
 *
 * Never sniffs: whoever says something else than HTTP/2 is ended.
 */
import type { Side } from "../flow/side.ts";
import type { HttpLimits } from "./http-limits.ts";
import { type Dial, Http2Back } from "./http2-back.ts";
import { type ExchangeLine, Http2Exchange } from "./http2-exchange.ts";
import type { Gate, RefusedUnread } from "./message.ts";
import { MessageSession } from "./message-session.ts";

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

export function serveHttp2(front: Side, options: Http2Options): ServedHttp2 {
  const { gate, dial, limits } = options;
  const back = new Http2Back(dial, limits);
  const line: ExchangeLine = {
    gate,
    back,
    maxFields: limits.fields,
    refused: (reason, status) => options.refused(reason, status),
  };
  const session = new MessageSession(
    front,
    {
      onRequest: (stream, message) => new Http2Exchange(stream, line, message).begin(),
      onClosed: ({ reason }) => {
        if (reason !== "lost") options.refused(reason, 0);
        back.close();
        options.ended?.();
      },
    },
    { isServer: true, limits },
  );
  return { drain: () => session.close(), end: () => session.destroy() };
}
