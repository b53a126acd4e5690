/** What both sides of the HTTP/2 engine say in their SETTINGS, and what they take from a peer before they end it. */
import type { FloodLimits } from "../http2/flood-guard.ts";
import type { ListLimits } from "../http2/hpack-decoder.ts";
import type { Greeting } from "../http2/outgoing.ts";
import { DEFAULT_MAX_FRAME, SETTING } from "../http2/protocol.ts";
import type { HttpLimits } from "./http-limits.ts";

/** What one stream may send ahead of its reader: the most that is ever kept of its body. */
export const STREAM_WINDOW = 256 << 10;
/** Of all streams together, on their way. */
export const SESSION_WINDOW = 4 << 20;
/** Of bodies that nobody takes: beyond it a session is told of no more room, whoever else of it would read. */
export const SESSION_HELD = 16 << 20;
/** Whatever the server takes: beyond it another session is worth its cost. */
export const MAX_STREAMS = 1_000;
/** Of a server that has not said it yet: as many as RFC 9113 6.5.2 wants at least. */
export const FIRST_STREAMS = 100;
/** SETTINGS_MAX_FRAME_SIZE: that of RFC 9113, which nobody has to be told. */
export const MAX_FRAME_BYTES = DEFAULT_MAX_FRAME;

/** Of callers: frames at once, and a second. */
export const FRONT_FLOODS: FloodLimits = {
  /** CVE-2019-9512. gRPC clients measure the path with one a round trip. */
  PING: [20_000, 10_000],
  /** CVE-2019-9515. */
  SETTINGS: [100, 10],
  /** CVE-2023-44487. Honest clients cancel thousands of calls at once, when a deadline of all passes, but not all the time. */
  RST_STREAM: [10_000, 200],
  "RST_STREAM of a request without answer": [10_000, 200],
  /** CVE-2025-8671. */
  "stream errors": [1_000, 10],
  /** A client that does not know yet how many it may open sends them all. */
  "streams refused": [10_000, 100],
  /** CVE-2019-9518. */
  "empty DATA": [1_000, 100],
  /** Some clients answer each DATA with two. */
  WINDOW_UPDATE: [50_000, 50_000],
  /** PRIORITY and what is unknown: CVE-2019-9513, CVE-2026-48619. Older clients send one PRIORITY a request. */
  "frames that mean nothing": [20_000, 5_000],
};

/** Of servers, which are believed more than callers: they may refuse all that they are asked. */
export const BACK_FLOODS: FloodLimits = {
  ...FRONT_FLOODS,
  RST_STREAM: [100_000, 50_000],
  "RST_STREAM of a request without answer": [100_000, 50_000],
};

/** Those of RFC 9113 8.3.1, and what the cookie was cut into. More is reset, one more than `fields` is answered. */
export function listsOf({ headBytes, fields }: HttpLimits): ListLimits {
  return { bytes: headBytes, fields: fields + 28 };
}

export function frontGreeting({ headBytes }: HttpLimits): Greeting {
  const settings = [
    [SETTING.initialWindowSize, STREAM_WINDOW],
    [SETTING.maxConcurrentStreams, MAX_STREAMS],
    [SETTING.maxHeaderListSize, headBytes],
  ] as const;
  return { settings, window: SESSION_WINDOW };
}

export function backGreeting({ headBytes }: HttpLimits): Greeting {
  const settings = [
    [SETTING.enablePush, 0],
    [SETTING.initialWindowSize, STREAM_WINDOW],
    [SETTING.maxHeaderListSize, headBytes],
  ] as const;
  return { settings, window: SESSION_WINDOW };
}
