/** Control's end of the line to the traffic process. */
import { type LineServer, type LineServerOptions, openLineServer } from "./line-server.ts";
import type { FromTraffic, ToTraffic } from "./messages.ts";
import { parseFromTraffic } from "./parse-from-traffic.ts";

export type ControlLineOptions = Omit<LineServerOptions<FromTraffic>, "parse">;

export type ControlLine = LineServer<ToTraffic>;

/** Resolves once it listens. */
export function createControlLine(options: ControlLineOptions): Promise<ControlLine> {
  return openLineServer({ ...options, parse: parseFromTraffic });
}
