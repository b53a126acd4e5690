/**
 * Addresses that key sets are not fetched from: the node proxy's own loopback, where its admin port is, and
 * link-local ones, where clouds keep the machine's credentials. Pure.
 */
import { ipBytes, isInCidr, parseCidr } from "../../core/model/ip.ts";

const LOCAL = [
  "127.0.0.0/8",
  "169.254.0.0/16",
  // "This host": connects to loopback.
  "0.0.0.0/8",
  // ::, ::1 and IPv4-compatible addresses.
  "::/96",
  "fe80::/10",
  // The metadata service of AWS over IPv6, which is not link-local.
  "fd00:ec2::254/128",
  // NAT64 (RFC 6052) of 127.0.0.0/8 and 169.254.0.0/16.
  "64:ff9b::7f00:0/104",
  "64:ff9b::a9fe:0/112",
].flatMap((text) => parseCidr(text) ?? []);

/** True for what is no address as well. */
export function isLocalAddress(address: string): boolean {
  // Without the zone, which only link-local addresses have.
  const bytes = ipBytes(address.split("%", 1)[0] ?? "");
  return !bytes || LOCAL.some((block) => isInCidr(block, bytes));
}
