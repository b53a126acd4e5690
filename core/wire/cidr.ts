/** Address blocks as protobuf and back. */
import { create } from "@bufbuild/protobuf";
import { type Cidr, formatIp, parseCidr } from "../model/ip.ts";
import type { Findings } from "./findings.ts";
import * as wire from "./gen/weft/v1/node_pb.ts";

export function encodeCidr({ bytes, prefixLength }: Cidr): wire.Cidr {
  return create(wire.CidrSchema, { address: Uint8Array.from(bytes), prefixLength });
}

/** Those that are blocks; each of the others is a finding. */
export function decodeCidrs(blocks: readonly wire.Cidr[], findings: Findings): readonly Cidr[] {
  return blocks.flatMap(({ address, prefixLength }) => {
    const isAddress = address.length === 4 || address.length === 16;
    const cidr = isAddress ? parseCidr(`${formatIp([...address])}/${prefixLength}`) : undefined;
    if (cidr === undefined) findings.add("ipBlock: not an address block");
    return cidr === undefined ? [] : [cidr];
  });
}
