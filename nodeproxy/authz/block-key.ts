/** Address blocks as keys of a hash table: equal for a block and for every address in it that is masked to its length. */
import type { Cidr } from "../../core/model/ip.ts";

export function blockKey({ bytes, prefixLength }: Cidr): string | number {
  return maskedKey(bytes, prefixLength);
}

/** A number for IPv4 (38 bits, exact), a text for IPv6. */
export function maskedKey(address: readonly number[], prefixLength: number): string | number {
  if (address.length === 4) {
    const [a = 0, b = 0, c = 0, d = 0] = address;
    const word = (a << 24) | (b << 16) | (c << 8) | d;
    // A shift by 32 is a shift by 0 in JavaScript.
    const masked = prefixLength === 0 ? 0 : word & (-1 << (32 - prefixLength));
    return (masked >>> 0) * 64 + prefixLength;
  }
  let key = `${prefixLength}`;
  for (let bits = prefixLength, i = 0; bits > 0; bits -= 8, i += 1) {
    const mask = bits >= 8 ? 0xff : (0xff << (8 - bits)) & 0xff;
    key += `:${((address[i] ?? 0) & mask).toString(36)}`;
  }
  return key;
}
