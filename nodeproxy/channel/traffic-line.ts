/**
 * The traffic process's end of the line to control. While control is away the traffic process goes on with what
 * it has; after each hello pods come again that are known already: compare, and close the new descriptors.
 */
import { type LineClient, type LineClientOptions, openLineClient } from "./line-client.ts";
import type { FromTraffic, ToTraffic } from "./messages.ts";

export type TrafficLineOptions = LineClientOptions<ToTraffic>;

export type TrafficLine = LineClient<FromTraffic>;

export function createTrafficLine(options: TrafficLineOptions): TrafficLine {
  return openLineClient(options);
}
