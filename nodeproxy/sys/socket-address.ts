/**
 * Socket addresses as bytes: `sockaddr_in`, `sockaddr_in6`, `sockaddr_un` (netinet/in.h, sys/un.h).
 *
 * Works on buffers that the caller reuses, so that a new connection allocates none.
 */
import { formatIp, ipBytes } from "../../core/model/ip.ts";

export const AF_UNIX = 1;
export const AF_INET = 2;
export const AF_INET6 = 10;

/** Large enough for each family here: a `sockaddr_un` is 110 bytes. */
export const SOCKET_ADDRESS_BYTES = 110;

export interface SocketAddress {
  /** Canonical text; dotted for a v4-mapped address. */
  readonly address: string;
  readonly port: number;
}

/** Writes the address and returns how many bytes it takes. `family` 6 takes an IPv4 address as v4-mapped. */
export function writeSocketAddress(
  into: Buffer,
  family: 4 | 6,
  { address, port }: SocketAddress,
): number {
  const bytes = ipBytes(address);
  if (!bytes) throw new RangeError(`not an IP address: ${address}`);
  into.fill(0, 0, 28);
  into.writeUInt16BE(port, 2);
  if (family === 4) {
    if (bytes.length !== 4) throw new RangeError(`not an IPv4 address: ${address}`);
    into.writeUInt16LE(AF_INET, 0);
    into.set(bytes, 4);
    return 16;
  }
  into.writeUInt16LE(AF_INET6, 0);
  if (bytes.length === 4) into.writeUInt16LE(0xffff, 18);
  into.set(bytes, bytes.length === 4 ? 20 : 8);
  return 28;
}

/** Reads what the kernel wrote. */
export function readSocketAddress(from: Buffer): SocketAddress {
  const port = from.readUInt16BE(2);
  if (from.readUInt16LE(0) === AF_INET) {
    // Not through `formatIp`: this runs for every connection.
    return { address: `${from[4]}.${from[5]}.${from[6]}.${from[7]}`, port };
  }
  const isMapped = from.readUInt32LE(8) === 0 && from.readUInt32LE(12) === 0;
  if (isMapped && from.readUInt32LE(16) === 0xffff0000) {
    return { address: `${from[20]}.${from[21]}.${from[22]}.${from[23]}`, port };
  }
  return { address: formatIp([...from.subarray(8, 24)]), port };
}

/** Path names only, never Linux's abstract names: those belong to a network namespace, not to a directory's rights. */
export function writeUnixAddress(into: Buffer, path: string): number {
  const length = Buffer.byteLength(path);
  if (length === 0 || length > 107) throw new RangeError(`socket path of ${length} bytes: ${path}`);
  into.fill(0, 0, SOCKET_ADDRESS_BYTES);
  into.writeUInt16LE(AF_UNIX, 0);
  into.write(path, 2);
  return 3 + length;
}
