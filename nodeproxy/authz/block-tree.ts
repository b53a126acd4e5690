/**
 * A radix tree of address blocks: which of them hold an address? One tree for each family. Filled
 * once; walking it allocates nothing.
 */
import { type Cidr, isInCidr } from "../../core/model/ip.ts";

export interface BlockNode<V> {
  readonly block: Cidr;
  /** That of the block: kept here, so that a walk touches nothing but nodes. */
  readonly length: number;
  /** `undefined` where two blocks only part ways. */
  value: V | undefined;
  zero: BlockNode<V> | undefined;
  one: BlockNode<V> | undefined;
}

export interface BlockTree<V> {
  v4: BlockNode<V> | undefined;
  v6: BlockNode<V> | undefined;
}

export function createBlockTree<V>(): BlockTree<V> {
  return { v4: undefined, v6: undefined };
}

/** Files `value` under `block`; a value that is there already is replaced. */
export function addBlock<V>(tree: BlockTree<V>, block: Cidr, value: V): void {
  const leaf = { block, length: block.prefixLength, value, zero: undefined, one: undefined };
  if (block.family === 4) tree.v4 = insert(tree.v4, leaf);
  else tree.v6 = insert(tree.v6, leaf);
}

/** The widest block that may hold the address: where a walk begins. */
function firstBlock<V>(tree: BlockTree<V>, address: readonly number[]): BlockNode<V> | undefined {
  return address.length === 4 ? tree.v4 : tree.v6;
}

/**
 * The next narrower node. Only the bit at which two nodes part is looked at: whether a block holds the
 * address is for `isInCidr()` to say, where there is a value; if it does not, no narrower one does.
 */
function nextBlock<V>(
  { length, zero, one }: BlockNode<V>,
  address: readonly number[],
): BlockNode<V> | undefined {
  return bitAt(address, length) === 1 ? one : zero;
}

/** Does any block that is filed hold the address? */
export function hasBlock(tree: BlockTree<unknown>, address: readonly number[]): boolean {
  for (let node = firstBlock(tree, address); node; node = nextBlock(node, address)) {
    if (node.value !== undefined) return isInCidr(node.block, address);
  }
  return false;
}

function insert<V>(node: BlockNode<V> | undefined, leaf: BlockNode<V>): BlockNode<V> {
  if (!node) return leaf;
  const shared = sharedBits(node.block, leaf.block);
  if (shared === node.block.prefixLength && shared === leaf.block.prefixLength) {
    node.value = leaf.value;
    return node;
  }
  if (shared === node.block.prefixLength) return hang(node, leaf);
  if (shared === leaf.block.prefixLength) return hang(leaf, node);
  const fork = {
    block: shortened(leaf.block, shared),
    length: shared,
    value: undefined,
    zero: undefined,
    one: undefined,
  };
  return hang(hang(fork, node), leaf);
}

/** `below` lies within `node`. */
function hang<V>(node: BlockNode<V>, below: BlockNode<V>): BlockNode<V> {
  if (bitAt(below.block.bytes, node.length) === 1) node.one = insert(node.one, below);
  else node.zero = insert(node.zero, below);
  return node;
}

function sharedBits(a: Cidr, b: Cidr): number {
  const most = Math.min(a.prefixLength, b.prefixLength);
  let length = 0;
  while (length < most && bitAt(a.bytes, length) === bitAt(b.bytes, length)) length += 1;
  return length;
}

function shortened({ family, bytes }: Cidr, prefixLength: number): Cidr {
  const kept = bytes.map((byte, i) => {
    const bits = Math.max(0, Math.min(8, prefixLength - i * 8));
    return byte & (0xff << (8 - bits)) & 0xff;
  });
  return { family, bytes: kept, prefixLength };
}

function bitAt(bytes: readonly number[], index: number): number {
  return ((bytes[index >> 3] ?? 0) >> (7 - (index & 7))) & 1;
}
