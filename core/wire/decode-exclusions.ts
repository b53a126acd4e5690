/** What of a pod's traffic is not captured, from protobuf. */
import { type CaptureExclusions, NOTHING_EXCLUDED } from "../model/capture-exclusions.ts";
import { decodeCidrs } from "./cidr.ts";
import type { Findings } from "./findings.ts";
import type * as wire from "./gen/weft/v1/node_pb.ts";

export function decodeExclusions(
  exclusions: wire.CaptureExclusions | undefined,
  findings: Findings,
): CaptureExclusions {
  // An operator from before it could be asked for.
  if (exclusions === undefined) return NOTHING_EXCLUDED;
  const { inboundPorts, outboundPorts, outboundBlocks, dnsAddresses } = exclusions;
  return {
    inboundPorts: inboundPorts.map((port) => findings.port("exclusions.inboundPorts", port)),
    outboundPorts: outboundPorts.map((port) => findings.port("exclusions.outboundPorts", port)),
    outboundBlocks: decodeCidrs(outboundBlocks, findings),
    dnsAddresses: findings.ips("exclusions.dnsAddresses", dnsAddresses),
  };
}
