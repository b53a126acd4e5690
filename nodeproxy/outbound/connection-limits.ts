/** How many connections a Service may have from this node: as its TrafficPolicy says, or as by default. */
import type { Service } from "../../core/model/service.ts";
import {
  type ConnectionLimits,
  DEFAULT_TRAFFIC_SETTINGS,
} from "../../core/model/traffic-settings.ts";
import type { MeshView } from "./choose-upstream.ts";

/** Of now: a policy may change between two connections. */
export function connectionLimitsOf(view: MeshView, service: Service): ConnectionLimits {
  return (view.trafficOf(service)?.settings ?? DEFAULT_TRAFFIC_SETTINGS).limits;
}
