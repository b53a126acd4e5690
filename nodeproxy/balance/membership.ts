/** What the balancer of one port of one Service is built from, and whether that has changed. */
import type { EndpointSlice, Service } from "../../core/model/service.ts";
import type { Traffic } from "../../core/model/traffic-settings.ts";
import type { Place } from "./usable-endpoints.ts";

/** All that a balancer is built from. Values are replaced whole, so another identity is another content. */
export interface Membership extends Place {
  readonly service: Service;
  readonly traffic: Traffic | undefined;
  readonly slices: readonly EndpointSlice[];
  /** Changes whenever a weight does. */
  readonly weightsVersion: number;
  readonly weightOf: (workload: string) => number;
}

export function isSame(a: Membership, b: Membership): boolean {
  return (
    a.service === b.service &&
    a.traffic === b.traffic &&
    a.weightsVersion === b.weightsVersion &&
    a.zone === b.zone &&
    (a.slices === b.slices || (a.slices.length === 0 && b.slices.length === 0))
  );
}
