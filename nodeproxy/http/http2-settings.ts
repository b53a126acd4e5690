/** What both sides of the HTTP/2 engine say in their SETTINGS, and what they take from a peer before they end it. */
import type {
  ClientSessionOptions,
  ServerSessionOptions,
  ServerStreamResponseOptions,
} from "node:http2";
import type { HttpLimits } from "./http-limits.ts";

/** What one stream may send ahead of its reader: the most that is ever kept of its body. */
const STREAM_WINDOW = 256 << 10;
/** Of all streams together, on their way. */
export const SESSION_WINDOW = 4 << 20;
const MAX_STREAMS = 1_000;
/** MB of heads and of what waits to be sent. */
const SESSION_MEMORY = 64;

export function frontSettings({ headBytes, fields }: HttpLimits): ServerSessionOptions {
  return {
    settings: {
      initialWindowSize: STREAM_WINDOW,
      maxConcurrentStreams: MAX_STREAMS,
      maxHeaderListSize: headBytes,
      enableConnectProtocol: false,
    },
    // Those of RFC 9113 8.3.1, and what the cookie was cut into. More is reset, one more than `fields` is answered.
    maxHeaderListPairs: fields + 28,
    maxSessionMemory: SESSION_MEMORY,
    maxOutstandingPings: 10,
    maxSettings: 32,
    maxSessionInvalidFrames: 1_000,
    // A client that does not know yet how many it may open sends them all.
    maxSessionRejectedStreams: 10_000,
    // Honest clients cancel thousands of calls at once, when a deadline of all passes, but not all the time.
    streamResetBurst: 10_000,
    streamResetRate: 200,
    // Two of one are the judge's business, and the application's.
    strictSingleValueFields: false,
  };
}

/** Of the session to the application, which is believed more than a caller. */
export function backSettings({ headBytes, fields }: HttpLimits): ClientSessionOptions {
  const options = {
    settings: {
      initialWindowSize: STREAM_WINDOW,
      maxHeaderListSize: headBytes,
      enablePush: false,
    },
    maxHeaderListPairs: fields + 28,
    maxSessionMemory: SESSION_MEMORY,
    strictSingleValueFields: false,
  };
  return options;
}

/** Of `respond`. `sendDate`, which Node's types do not know: a response has the date that its author gave it. */
export function respondOptions(endStream: boolean): ServerStreamResponseOptions {
  const options = { endStream, waitForTrailers: !endStream, sendDate: false };
  return options;
}
