/**
 * What of a pod's traffic goes past Weft because its owner asked for it: not encrypted, not judged, not counted.
 * Istio's `traffic.sidecar.istio.io/excludeInboundPorts`, `excludeOutboundPorts` and `excludeOutboundIPRanges`.
 */
import type { Cidr } from "./ip.ts";

export interface CaptureExclusions {
  /** Own ports; what comes through the tunnel to them is judged all the same. */
  readonly inboundPorts: readonly number[];
  /** Ports of whatever the pod calls. */
  readonly outboundPorts: readonly number[];
  /** Addresses of whatever the pod calls. */
  readonly outboundBlocks: readonly Cidr[];
}

export const NOTHING_EXCLUDED: CaptureExclusions = {
  inboundPorts: [],
  outboundPorts: [],
  outboundBlocks: [],
};
