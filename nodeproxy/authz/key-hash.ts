/**
 * Hashes by which the index files and finds: 32 bits, never asked for a decision. Two keys of one hash
 * share a place, and the matchers tell them apart.
 */
import type { Cidr } from "../../core/model/ip.ts";

/** No more characters than these are read at either end of a text, however long a caller makes it. */
export const LONGEST = 64;

const PRIME = 0x01000193;
const HEAD = 0x811c9dc5 | 0;
const TAIL = 0x2545f491;

/** What a walk over the first characters begins with, and its next step: FNV-1a by code units. */
export const EMPTY_HEAD: number = HEAD;
export const EMPTY_TAIL: number = TAIL;

export function nextHash(hash: number, code: number): number {
  return Math.imul(hash ^ code, PRIME);
}

/** Of the first `length` characters. */
export function headHash(text: string, length: number): number {
  let hash = HEAD;
  for (let i = 0; i < length; i += 1) hash = nextHash(hash, text.charCodeAt(i));
  return hash;
}

/** Of the last `length` characters, from the end. */
export function tailHash(text: string, length: number): number {
  let hash = TAIL;
  const last = text.length - 1;
  for (let i = 0; i < length; i += 1) hash = nextHash(hash, text.charCodeAt(last - i));
  return hash;
}

/** Of a whole text. */
export function textHash(text: string): number {
  const { length } = text;
  if (length <= LONGEST) return headHash(text, length) ^ length;
  return Math.imul(headHash(text, LONGEST) ^ tailHash(text, LONGEST), PRIME) ^ length;
}

/** Of an address's first bits. */
export function addressHash(address: readonly number[], prefixLength: number): number {
  if (address.length === 4) {
    const [a = 0, b = 0, c = 0, d = 0] = address;
    const word = (a << 24) | (b << 16) | (c << 8) | d;
    return prefixLength === 0 ? HEAD : word & (-1 << (32 - prefixLength));
  }
  let hash = HEAD;
  const whole = prefixLength >> 3;
  for (let i = 0; i < whole; i += 1) hash = nextHash(hash, address[i] ?? 0);
  const bits = prefixLength & 7;
  return bits === 0 ? hash : nextHash(hash, (address[whole] ?? 0) & (0xff << (8 - bits)));
}

export function blockHash({ bytes, prefixLength }: Cidr): number {
  return addressHash(bytes, prefixLength);
}

/** Every bit of the result depends on every bit of both (the finalizer of MurmurHash3). */
export function mixed(hash: number, salt: number): number {
  let h = hash ^ Math.imul(salt, 0x9e3779b1);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}
