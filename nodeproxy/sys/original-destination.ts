/** Where a redirected connection was going before iptables turned it towards one of Weft's listeners. */
import { checked, libc } from "./libc.ts";
import { readSocketAddress, type SocketAddress } from "./socket-address.ts";

const SOL_IP = 0;
const SOL_IPV6 = 41;
/** Both names are 80: linux/netfilter_ipv4.h SO_ORIGINAL_DST, netfilter_ipv6/ip6_tables.h IP6T_SO_ORIGINAL_DST. */
const SO_ORIGINAL_DST = 80;

const address = Buffer.alloc(28);
const length = Buffer.alloc(4);

/**
 * `family` is that of the listener. Throws `SysError` ENOENT where conntrack has no such connection.
 * A connection that was not redirected gives the listener's own address and port, which callers refuse.
 */
export function originalDestination(fd: number, family: 4 | 6): SocketAddress {
  length.writeUInt32LE(address.length, 0);
  const level = family === 4 ? SOL_IP : SOL_IPV6;
  checked(libc.getsockopt(fd, level, SO_ORIGINAL_DST, address, length), "getsockopt original dst");
  return readSocketAddress(address);
}
