/** What of a captured pod is not captured after all: has it changed, and how is it told? */
import type { CaptureExclusions } from "../../core/model/capture-exclusions.ts";
import { formatIp } from "../../core/model/ip.ts";

export function areSameExclusions(one: CaptureExclusions, other: CaptureExclusions): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

/** In words for the pod's condition; "" where nothing is excluded. */
export function describeExclusions(exclusions: CaptureExclusions | undefined): string {
  if (!exclusions) return "";
  const { inboundPorts, outboundPorts, outboundBlocks } = exclusions;
  const parts = [
    { what: "inbound ports", entries: inboundPorts },
    { what: "outbound ports", entries: outboundPorts },
    {
      what: "outbound addresses",
      entries: outboundBlocks.map(
        ({ bytes, prefixLength }) => `${formatIp(bytes)}/${prefixLength}`,
      ),
    },
  ].filter(({ entries }) => entries.length > 0);
  const told = parts.map(({ what, entries }) => `${what} ${entries.join(", ")}`);
  return told.length === 0 ? "" : `not captured, by annotation: ${told.join("; ")}`;
}
