/**
 * Reads DER: exactly one encoding for each value, or a DerError.
 *
 * Stricter than node-forge's reader, which takes BER (indefinite and padded lengths) and so lets two
 * parsers see two certificates in the same bytes. Copies nothing, recurses nowhere, allocates per value only.
 */
export const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  oid: 0x06,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
} as const;

/** Caught by `parseCertificate` and `parseCsr`, which turn it into a value; nobody else sees it. */
export class DerError extends Error {}

export interface DerValue {
  readonly tag: number;
  /** Tag, length and content. */
  readonly whole: Uint8Array;
  readonly content: Uint8Array;
}

/** `bytes` must be one value and nothing behind it. */
export function readDer(bytes: Uint8Array, tag: number): DerValue {
  const value = readAt(bytes, 0);
  if (value.whole.length !== bytes.length) throw new DerError("bytes follow the value");
  return expectTag(value, tag);
}

export function readChildren(content: Uint8Array): readonly DerValue[] {
  const children: DerValue[] = [];
  for (let offset = 0; offset < content.length; ) {
    const child = readAt(content, offset);
    children.push(child);
    offset += child.whole.length;
  }
  return children;
}

/** The `tag`ged value at `index`, which must be there. */
export function childAt(children: readonly DerValue[], index: number, tag: number): DerValue {
  const child = children[index];
  if (!child) throw new DerError(`value ${index} is missing`);
  return expectTag(child, tag);
}

function expectTag(value: DerValue, tag: number): DerValue {
  if (value.tag !== tag) {
    throw new DerError(`tag 0x${value.tag.toString(16)} where 0x${tag.toString(16)} belongs`);
  }
  return value;
}

/** X.690 8.6, 11.2: whole octets only, as keys and signatures are. */
export function readBitStringOctets(value: DerValue): Uint8Array {
  const { content } = expectTag(value, TAG.bitString);
  if (content[0] !== 0) throw new DerError("bit string is not of whole octets");
  return content.subarray(1);
}

/** Bit 0 is the first. Trailing zero bits, which X.690 11.2.2 removes, are let pass: public roots carry them. */
export function readNamedBits(bytes: Uint8Array): ReadonlySet<number> {
  const { content } = readDer(bytes, TAG.bitString);
  const [unused = 8] = content;
  const last = content.length > 1 ? (content[content.length - 1] ?? 0) : 0;
  const isEmptyWithUnused = content.length === 1 && unused !== 0;
  if (unused > 7 || isEmptyWithUnused || content.length > 5 || last % 2 ** unused !== 0) {
    throw new DerError("named bit list is not of whole bits");
  }
  const bits = new Set<number>();
  for (let bit = 0; bit < (content.length - 1) * 8; bit++) {
    if (((content[1 + (bit >> 3)] ?? 0) >> (7 - (bit & 7))) & 1) bits.add(bit);
  }
  return bits;
}

/** X.690 11.1: TRUE is 0xff. */
export function readBoolean(value: DerValue): boolean {
  const { content } = expectTag(value, TAG.boolean);
  if (content.length !== 1 || (content[0] !== 0 && content[0] !== 0xff)) {
    throw new DerError("boolean is neither 0x00 nor 0xff");
  }
  return content[0] === 0xff;
}

/** Big-endian two's complement octets, minimal (X.690 8.3.2), not negative. */
export function readUnsigned(value: DerValue): Uint8Array {
  const { content } = expectTag(value, TAG.integer);
  const [first = 0xff, second = 0xff] = content;
  if (content.length === 0 || first > 0x7f) throw new DerError("integer is empty or negative");
  if (content.length > 1 && first === 0 && second < 0x80)
    throw new DerError("integer is not minimal");
  return content;
}

/** Dotted text. X.690 8.19: base 128, minimal. */
export function readOid(value: DerValue): string {
  const { content } = expectTag(value, TAG.oid);
  const last = content[content.length - 1] ?? 0x80;
  if (content.length > 32 || last > 0x7f)
    throw new DerError("object identifier is cut or too long");
  const parts: number[] = [];
  let part = 0;
  for (const byte of content) {
    if (part === 0 && byte === 0x80) throw new DerError("object identifier is not minimal");
    part = part * 128 + (byte & 0x7f);
    if (part > 2 ** 32) throw new DerError("object identifier has too large a part");
    if (byte < 0x80) {
      parts.push(part);
      part = 0;
    }
  }
  const [head = 0, ...rest] = parts;
  const root = Math.min(2, Math.floor(head / 40));
  return [root, head - root * 40, ...rest].join(".");
}

function readAt(bytes: Uint8Array, start: number): DerValue {
  const tag = bytes[start];
  const first = bytes[start + 1];
  if (tag === undefined || first === undefined) throw new DerError("cut before the length");
  // No type of X.509 has a tag number above 30.
  if ((tag & 0x1f) === 0x1f) throw new DerError("multi-byte tag");
  const header = first < 0x80 ? 2 : 2 + (first & 0x7f);
  const length = first < 0x80 ? first : readLength(bytes, start + 2, first & 0x7f);
  const end = start + header + length;
  if (end > bytes.length) throw new DerError("length reaches beyond the end");
  return {
    tag,
    whole: bytes.subarray(start, end),
    content: bytes.subarray(start + header, end),
  };
}

/** X.690 10.1: the definite form, in the fewest octets. `count` 0 would be the indefinite form. */
function readLength(bytes: Uint8Array, start: number, count: number): number {
  if (count < 1 || count > 3) throw new DerError("length is indefinite or too long");
  let length = 0;
  for (let i = 0; i < count; i++) length = length * 256 + (bytes[start + i] ?? 0);
  if (length < 0x80 || length < 2 ** (8 * (count - 1))) throw new DerError("length is not minimal");
  return length;
}
