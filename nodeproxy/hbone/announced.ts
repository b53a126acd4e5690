/** What each end of a tunnel says of itself in its SETTINGS, and takes from its peer before it ends the connection. */
import { TUNNEL_FLOODS } from "../http2/flood-guard.ts";
import type { ListLimits } from "../http2/hpack-decoder.ts";
import type { IncomingOptions } from "../http2/incoming.ts";
import type { Greeting } from "../http2/outgoing.ts";
import { SETTING } from "../http2/protocol.ts";
import { CONNECTION_WINDOW, STREAM_WINDOW } from "../http2/receive-window.ts";

/** SETTINGS_MAX_FRAME_SIZE. */
export const MAX_FRAME_BYTES = 1 << 18;
/** A CONNECT has two fields; ztunnel adds `forwarded`, `baggage` and `traceparent`. */
export const LISTS: ListLimits = { bytes: 16_384, fields: 32 };

export function incomingOf(isServer: boolean): IncomingOptions {
  return { isServer, lists: LISTS, floods: TUNNEL_FLOODS, window: CONNECTION_WINDOW };
}

/** `maxStreams`: that the peer may have open at once. */
export function greetingFor(maxStreams: number): Greeting {
  const settings = [
    [SETTING.initialWindowSize, STREAM_WINDOW],
    [SETTING.maxFrameSize, MAX_FRAME_BYTES],
    [SETTING.maxHeaderListSize, LISTS.bytes],
    [SETTING.maxConcurrentStreams, maxStreams],
    [SETTING.enablePush, 0],
  ] as const;
  return { settings, window: CONNECTION_WINDOW };
}
