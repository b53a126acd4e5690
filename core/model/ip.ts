/**
 * IP addresses and CIDR blocks as values that compare with `===`.
 *
 * Pure, without `node:net`: policy decisions and the balancer run on it. One address has exactly one
 * canonical text: dotted IPv4 (also for v4-mapped IPv6), RFC 5952 lower-case IPv6 without a zone.
 */
export interface Cidr {
  readonly family: 4 | 6;
  /** Network bits as bytes, host bits zero: 4 or 16 of them. */
  readonly bytes: readonly number[];
  readonly prefixLength: number;
}

/** Canonical text of an address, `undefined` where it is none. `::ffff:10.0.0.1` becomes `10.0.0.1`; zones are refused. */
export function canonicalIp(text: string): string | undefined {
  const bytes = ipBytes(text);
  return bytes && formatIp(bytes);
}

/** 4 bytes for IPv4 and v4-mapped IPv6, 16 for other IPv6. Leading zeros in IPv4 parts are refused (they read as octal elsewhere). */
export function ipBytes(text: string): readonly number[] | undefined {
  return text.includes(":") ? unmapped(ipv6Bytes(text)) : ipv4Bytes(text);
}

/** `10.0.0.0/8`, `::1/128`, or a bare address; host bits set are cleared, as Istio reads them. */
export function parseCidr(text: string): Cidr | undefined {
  const slash = text.indexOf("/");
  const address = slash < 0 ? text : text.slice(0, slash);
  const raw = address.includes(":") ? ipv6Bytes(address) : ipv4Bytes(address);
  if (!raw) return undefined;
  const prefix = slash < 0 ? raw.length * 8 : decimal(text.slice(slash + 1), raw.length * 8);
  if (prefix === undefined) return undefined;
  return makeCidr(raw, prefix);
}

export function isInCidr(cidr: Cidr, address: readonly number[]): boolean {
  const { bytes, prefixLength } = cidr;
  if (address.length !== bytes.length) return false;
  // A plain loop: asked for every rule with a block, and it must not allocate.
  for (let i = 0; i * 8 < prefixLength; i += 1) {
    if (((address[i] ?? 0) & maskByte(prefixLength, i)) !== bytes[i]) return false;
  }
  return true;
}

function makeCidr(raw: readonly number[], prefix: number): Cidr {
  // A v4-mapped block of at least /96 is the IPv4 block it stands for.
  const mapped = raw.length === 16 && prefix >= 96 && unmapped(raw)?.length === 4;
  const bytes = mapped ? raw.slice(12) : raw;
  const prefixLength = mapped ? prefix - 96 : prefix;
  return {
    family: bytes.length === 4 ? 4 : 6,
    bytes: bytes.map((byte, i) => byte & maskByte(prefixLength, i)),
    prefixLength,
  };
}

function maskByte(prefixLength: number, index: number): number {
  const bits = Math.max(0, Math.min(8, prefixLength - index * 8));
  return (0xff << (8 - bits)) & 0xff;
}

const ZERO = 48;
const DOT = 46;

function decimal(text: string, max: number): number | undefined {
  if (!/^(?:0|[1-9][0-9]{0,2})$/.test(text)) return undefined;
  const value = Number(text);
  return value <= max ? value : undefined;
}

/** By characters and not by a pattern for each part: this runs several times for every connection. */
function ipv4Bytes(text: string): readonly number[] | undefined {
  const bytes: number[] = [];
  let value = NaN;
  for (let i = 0; i <= text.length; i += 1) {
    const digit = i < text.length ? text.charCodeAt(i) - ZERO : DOT - ZERO;
    if (digit === DOT - ZERO) {
      if (Number.isNaN(value) || bytes.length === 4) return undefined;
      bytes.push(value);
      value = NaN;
    } else {
      if (digit < 0 || digit > 9 || value === 0) return undefined;
      value = Number.isNaN(value) ? digit : value * 10 + digit;
      if (value > 255) return undefined;
    }
  }
  return bytes.length === 4 ? bytes : undefined;
}

function ipv6Bytes(text: string): readonly number[] | undefined {
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  const head = groups(halves[0] ?? "", halves.length === 1);
  const tail = halves.length === 2 ? groups(halves[1] ?? "", true) : [];
  if (!head || !tail) return undefined;
  const missing = 16 - head.length - tail.length;
  if (halves.length === 1 ? missing !== 0 : missing < 2) return undefined;
  return [...head, ...Array<number>(missing).fill(0), ...tail];
}

function groups(text: string, mayEndInIpv4: boolean): readonly number[] | undefined {
  if (text === "") return [];
  const bytes: number[] = [];
  const parts = text.split(":");
  for (const [i, part] of parts.entries()) {
    const isLast = i === parts.length - 1;
    if (isLast && mayEndInIpv4 && part.includes(".")) {
      const ipv4 = ipv4Bytes(part);
      if (!ipv4) return undefined;
      bytes.push(...ipv4);
    } else {
      if (!/^[0-9a-fA-F]{1,4}$/.test(part)) return undefined;
      const value = Number.parseInt(part, 16);
      bytes.push(value >> 8, value & 0xff);
    }
  }
  return bytes;
}

function unmapped(bytes: readonly number[] | undefined): readonly number[] | undefined {
  if (bytes?.length !== 16) return bytes;
  const isMapped = bytes.every((byte, i) => i >= 12 || byte === (i >= 10 ? 0xff : 0));
  return isMapped ? bytes.slice(12) : bytes;
}

/** The one text of an address: dotted for 4 bytes, RFC 5952 for 16. */
export function formatIp(bytes: readonly number[]): string {
  if (bytes.length === 4) return bytes.join(".");
  const words = Array.from(
    { length: 8 },
    (_, i) => ((bytes[2 * i] ?? 0) << 8) | (bytes[2 * i + 1] ?? 0),
  );
  const run = longestZeroRun(words);
  if (run.length < 2) return hex(words);
  return `${hex(words.slice(0, run.start))}::${hex(words.slice(run.start + run.length))}`;
}

function hex(words: readonly number[]): string {
  return words.map((word) => word.toString(16)).join(":");
}

/** RFC 5952 4.2.3: the longest run of zero words, the first of equals. */
function longestZeroRun(words: readonly number[]): { start: number; length: number } {
  let best = { start: 0, length: 0 };
  let start = 0;
  for (const [i, word] of words.entries()) {
    if (word !== 0) start = i + 1;
    else if (i + 1 - start > best.length) best = { start, length: i + 1 - start };
  }
  return best;
}
