/**
 * What of a pod's traffic goes past Weft: not encrypted, not judged, not counted. The cluster's DNS, and what the
 * pod's owner asked for, as with Istio's `traffic.sidecar.istio.io/excludeInboundPorts`, `excludeOutboundPorts` and
 * `excludeOutboundIPRanges`.
 */
import type { Cidr } from "./ip.ts";

export interface CaptureExclusions {
  /** Own ports; what comes through the tunnel to them is judged all the same. */
  readonly inboundPorts: readonly number[];
  /** Ports of whatever the pod calls. */
  readonly outboundPorts: readonly number[];
  /** Addresses of whatever the pod calls. */
  readonly outboundBlocks: readonly Cidr[];
  /** Of the cluster's DNS, not asked for: TCP port 53 there. Canonical, sorted. */
  readonly dnsAddresses: readonly string[];
}

export const NOTHING_EXCLUDED: CaptureExclusions = {
  inboundPorts: [],
  outboundPorts: [],
  outboundBlocks: [],
  dnsAddresses: [],
};
