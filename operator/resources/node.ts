/** A node: from which addresses does its kubelet probe the pods on it, and in which zone is it? */
import { formatIp, parseCidr } from "../../core/model/ip.ts";
import { canonicalAddresses } from "./addresses.ts";
import type { KubeObject } from "./kube-object.ts";
import { asList, asRecord, recordsOf } from "./narrow.ts";

export interface Node {
  readonly name: string;
  /** A Node of the same name that comes back is another. Its name where a file gives it none. */
  readonly uid: string;
  /**
   * The internal addresses, and the first address of each `podCIDR`: with a bridge CNI the node's
   * gateway on the pod network has it, and a kubelet's probe arrives from there.
   */
  readonly addresses: readonly string[];
  /** Label `topology.kubernetes.io/zone`; "" without it. */
  readonly zone: string;
}

const ZONE_LABEL = "topology.kubernetes.io/zone";

export function parseNode({ metadata, spec, status }: KubeObject): Node {
  const internal = recordsOf(asRecord(status)?.["addresses"])
    .filter((entry) => entry["type"] === "InternalIP")
    .map((entry) => entry["address"]);
  const blocks = asList(asRecord(spec)?.["podCIDRs"]) ?? [asRecord(spec)?.["podCIDR"]];
  const gateways = blocks.map(firstAddress);
  const uid = metadata.uid === "" ? metadata.name : metadata.uid;
  return {
    name: metadata.name,
    uid,
    addresses: canonicalAddresses([...internal, ...gateways]),
    zone: metadata.labels[ZONE_LABEL] ?? "",
  };
}

/** `10.244.1.0/24` → `10.244.1.1`. A block of a single address has no gateway in it. */
function firstAddress(block: unknown): string | undefined {
  const cidr = typeof block === "string" ? parseCidr(block) : undefined;
  if (!cidr || cidr.prefixLength >= cidr.bytes.length * 8) return undefined;
  // The host bits are zero, so the last byte is even and adding one never carries.
  return formatIp(cidr.bytes.map((byte, i) => (i === cidr.bytes.length - 1 ? byte + 1 : byte)));
}
