/** Address blocks as keys of a hash table, and back: for filing only, never asked for a decision. */
import type { Cidr } from "../../core/model/ip.ts";

/** A number for IPv4 (38 bits, exact), a text for IPv6. */
export function blockKey({ bytes, prefixLength }: Cidr): string | number {
  if (bytes.length !== 4) return `${prefixLength}:${bytes.join(":")}`;
  const [a = 0, b = 0, c = 0, d = 0] = bytes;
  return (((a << 24) | (b << 16) | (c << 8) | d) >>> 0) * 64 + prefixLength;
}

export function blockOfKey(key: string | number): Cidr {
  if (typeof key === "string") {
    const [prefixLength = 0, ...bytes] = key.split(":").map(Number);
    return { family: 6, bytes, prefixLength };
  }
  const word = Math.floor(key / 64);
  const bytes = [word >>> 24, (word >>> 16) & 255, (word >>> 8) & 255, word & 255];
  return { family: 4, bytes, prefixLength: key % 64 };
}
