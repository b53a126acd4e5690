/**
 * Serves one caller's connection to a port that is HTTP, in the version that the port speaks, as a flow that can be
 * counted, drained and ended. Whose requests they are, and where they go, is the gate's to say.
 */
import type { HttpVersion } from "../../core/model/enrolment.ts";
import type { Serving } from "../flow/served-flow.ts";
import type { Side } from "../flow/side.ts";
import type { Http1Options, HttpServing } from "./http1-options.ts";
import { serveHttp1 } from "./serve-http1.ts";
import { type Http2Options, serveHttp2 } from "./serve-http2.ts";

/** Of the bodies that went by; whoever hears of requests that are done adds them. */
export interface CarriedBytes {
  bytesSent: number;
  bytesReceived: number;
}

export interface HttpFront {
  readonly version: HttpVersion;
  /** Paused and without a reader; it belongs to the engine from here on. */
  readonly side: Side;
  readonly bytes: CarriedBytes;
}

/** Never throws. */
export function serveHttp(
  { version, side, bytes }: HttpFront,
  options: Http1Options & Http2Options,
): Serving {
  const served = begin(version, side, options);
  return {
    get bytesSent() {
      return bytes.bytesSent;
    },
    get bytesReceived() {
      return bytes.bytesReceived;
    },
    drain: () => served.drain(),
    end: () => served.end(),
    hearResets: () => served.hearResets(),
  };
}

function begin(
  version: HttpVersion,
  side: Side,
  options: Http1Options & Http2Options,
): Pick<HttpServing, "drain" | "end" | "hearResets"> {
  if (version === "http1") return serveHttp1(side, options);
  const served = serveHttp2(side, options);
  // It always reads both connections.
  return { drain: () => served.drain(), end: () => served.end(), hearResets: () => undefined };
}
