/**
 * HTTP/2 as tunnels speak it, the same at both ends.
 *
 * Both windows matter: that of a stream bounds one connection's bytes in flight, that of the session
 * all of them together; equal values would let one slow reader stop the others.
 */
import type { ServerSessionOptions } from "node:http2";

/** Octets in flight for a session: four streams' worth. Set after connecting; Node has no option for it. */
export const SESSION_WINDOW_BYTES = 16 << 20;

export const HTTP2_OPTIONS = {
  settings: {
    initialWindowSize: 4 << 20,
    maxFrameSize: 1 << 18,
    enablePush: false,
    // Well above what a pool opens: nghttp2 counts streams that ended until they are collected as
    // garbage, and answers more than this with the end of the session.
    maxConcurrentStreams: 100_000,
  },
  // Megabytes: the windows above for a tunnel full of slow readers. The default of 10 ends sessions with ENHANCE_YOUR_CALM.
  maxSessionMemory: 1000,
  // A CONNECT has two fields; ztunnel adds `forwarded`, `baggage` and `traceparent`.
  maxHeaderListPairs: 32,
  maxSendHeaderBlockLength: 4096,
  // Peers are authenticated and reset one stream for each connection that an application resets; the
  // default of 33 a second ends a tunnel of short connections.
  streamResetBurst: 20_000,
  streamResetRate: 10_000,
} as const satisfies ServerSessionOptions & { readonly streamResetRate: number };
