/**
 * HPACK's Huffman code, decoded four bits at a time (RFC 7541 5.2 and appendix B).
 *
 * The code is canonical: of two symbols the shorter comes first, of two equally long ones the smaller. So
 * the lengths say all, and the automaton is built from them once.
 */
import { protocolError } from "./http2-error.ts";
import { CODE } from "./protocol.ts";

/** Of the 256 octets and of EOS. */
const LENGTHS = [
  13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28,
  28, 28, 28, 28, 28, 28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5,
  6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10, 13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
  7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6, 15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6,
  7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23,
  23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22, 21, 20, 22,
  22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22,
  23, 22, 22, 23, 26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27,
  27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25,
  24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26, 30,
];
const EOS = 256;
/** No symbol ends within these four bits. */
const NONE = 0xffff;
/** A code has 30 bits or fewer; the tree of 257 leaves has 256 inner nodes, each a state. */
const STATES = 256;
/** One more, which is never left. */
const FAIL = STATES;
/** By state and four bits: the state after them, and the symbol that ended within them. At most one can: none is shorter than five bits. */
const NEXT = new Uint16Array((STATES + 1) * 16).fill(FAIL);
const SYMBOL = new Uint16Array((STATES + 1) * 16).fill(NONE);
/** May a string end here? RFC 7541 5.2: only in the first seven bits of EOS, all of them ones. */
const MAY_END = new Uint8Array(STATES + 1);

/** Longest string that `decodeHuffman` takes; the shortest code of five bits makes 8/5 octets of each. */
const MAX_BYTES = 70_000;
const scratch = Buffer.alloc(Math.ceil((MAX_BYTES * 8) / 5));

build();

/** The octets of `block` from `start` to `end`, one character each. Throws `Http2Error` for what is no such code. */
export function decodeHuffman(block: Buffer, start: number, end: number): string {
  if (end - start > MAX_BYTES) {
    throw protocolError("a string longer than any header list", CODE.compressionError);
  }
  let state = 0;
  let length = 0;
  for (let at = start; at < end; at += 1) {
    const byte = block[at] ?? 0;
    const high = (state << 4) | (byte >> 4);
    const first = SYMBOL[high] ?? NONE;
    if (first !== NONE) {
      scratch[length] = first;
      length += 1;
    }
    const low = ((NEXT[high] ?? FAIL) << 4) | (byte & 15);
    state = NEXT[low] ?? FAIL;
    const second = SYMBOL[low] ?? NONE;
    if (second !== NONE) {
      scratch[length] = second;
      length += 1;
    }
  }
  if (MAY_END[state] !== 1) {
    throw protocolError("not a Huffman code of RFC 7541", CODE.compressionError);
  }
  return scratch.toString("latin1", 0, length);
}

/** Leaves are negative: -1 - symbol. Node 0 is the root; 0 as a child: not there yet. */
function build(): void {
  const children = new Int16Array(STATES * 2);
  let nodes = 1;
  for (const { symbol, code, length } of codes()) {
    let node = 0;
    for (let bit = length - 1; bit > 0; bit -= 1) {
      const slot = node * 2 + ((code >>> bit) & 1);
      if (children[slot] === 0) {
        children[slot] = nodes;
        nodes += 1;
      }
      node = children[slot] ?? 0;
    }
    children[node * 2 + (code & 1)] = -1 - symbol;
  }
  for (let state = 0; state < STATES; state += 1) {
    for (let bits = 0; bits < 16; bits += 1) step(children, state, bits);
  }
  for (let node = 0, ones = 0; ones < 8; ones += 1) {
    MAY_END[node] = 1;
    node = children[node * 2 + 1] ?? 0;
  }
}

function step(children: Int16Array, state: number, bits: number): void {
  const slot = (state << 4) | bits;
  let node = state;
  for (let bit = 3; bit >= 0; bit -= 1) {
    const child = children[node * 2 + ((bits >> bit) & 1)] ?? 0;
    // RFC 7541 5.2: "A Huffman-encoded string literal containing the EOS symbol MUST be treated as a decoding error."
    if (child === -1 - EOS) return;
    if (child < 0) {
      SYMBOL[slot] = -1 - child;
      node = 0;
    } else {
      node = child;
    }
  }
  NEXT[slot] = node;
}

function codes(): { symbol: number; code: number; length: number }[] {
  const sorted = LENGTHS.map((length, symbol) => ({ symbol, code: 0, length })).toSorted(
    (a, b) => a.length - b.length || a.symbol - b.symbol,
  );
  let code = 0;
  let last = sorted[0]?.length ?? 0;
  for (const one of sorted) {
    code <<= one.length - last;
    last = one.length;
    one.code = code;
    code += 1;
  }
  return sorted;
}
