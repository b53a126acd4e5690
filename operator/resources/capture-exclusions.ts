/**
 * The annotations by which a pod's owner takes ports and addresses out of the capture.
 *
 * One that cannot be read excludes nothing: a typing error must not open a pod.
 */
import { type CaptureExclusions, NOTHING_EXCLUDED } from "../../core/model/capture-exclusions.ts";
import { type Cidr, parseCidr } from "../../core/model/ip.ts";

const INBOUND_PORTS = "weft.dev/exclude-inbound-ports";
const OUTBOUND_PORTS = "weft.dev/exclude-outbound-ports";
const OUTBOUND_BLOCKS = "weft.dev/exclude-outbound-cidrs";
/** Each entry is a rule that every new connection of the pod is compared with. */
const MAX_ENTRIES = 64;

export interface ReadExclusions {
  readonly exclusions: CaptureExclusions;
  /** Each names its annotation. */
  readonly reasons: readonly string[];
}

/** Lists are separated by commas; spaces around entries do not matter. */
export function readExclusions(
  annotations: Readonly<Record<string, string>> | undefined,
): ReadExclusions {
  const reasons: string[] = [];
  function read<T>(name: string, parse: (entry: string) => T | undefined, what: string) {
    const text = annotations?.[name];
    if (text === undefined) return [];
    const entries = text.split(",").map((entry) => entry.trim());
    const values = entries.flatMap((entry) => parse(entry) ?? []);
    if (values.length !== entries.length) reasons.push(`annotation ${name} must list ${what}`);
    else if (values.length > MAX_ENTRIES)
      reasons.push(`annotation ${name}: at most ${MAX_ENTRIES}`);
    else return values;
    return [];
  }
  if (annotations === undefined) return { exclusions: NOTHING_EXCLUDED, reasons };
  const exclusions = {
    inboundPorts: read(INBOUND_PORTS, parsePort, "ports, 1 to 65535"),
    outboundPorts: read(OUTBOUND_PORTS, parsePort, "ports, 1 to 65535"),
    dnsAddresses: [],
    outboundBlocks: read(OUTBOUND_BLOCKS, parseBlock, "address blocks such as 10.0.0.0/8"),
  };
  return { exclusions, reasons };
}

function parsePort(text: string): number | undefined {
  const port = /^[1-9][0-9]{0,4}$/.test(text) ? Number(text) : 0;
  return port >= 1 && port <= 65_535 ? port : undefined;
}

function parseBlock(text: string): Cidr | undefined {
  return parseCidr(text);
}
