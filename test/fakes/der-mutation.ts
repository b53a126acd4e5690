/**
 * Changes a DER value as an attacker would: whole TLVs doubled, moved, deleted and nested, lengths that lie, other
 * tags and object identifiers, and plain octets. Structure survives most changes, so that the readers' inner parts are reached.
 *
 * The same `Random` gives the same changes.
 */
import { readOid } from "../../core/x509/der-reader.ts";
import { encodeDer, oid as writeOid } from "../../core/x509/der-writer.ts";
import { OID } from "../../core/x509/oid.ts";

export interface Random {
  /** A whole number in [0, below). */
  below(below: number): number;
}

/** xorshift32 (Marsaglia 2003): fast, and the same on every machine. */
export function createRandom(seed: number): Random {
  let state = seed | 0 || 1;
  return {
    below: (below) => {
      state ^= state << 13;
      state ^= state >>> 17;
      state ^= state << 5;
      return (state >>> 0) % below;
    },
  };
}

/** A TLV that may be taken apart: either its own children, or octets. */
export interface TlvNode {
  readonly tag: number;
  readonly children: readonly TlvNode[];
  /** Before the children: the count of unused bits of a bit string that holds DER. */
  readonly octets: Uint8Array;
}

export function readTlv(der: Uint8Array): TlvNode {
  const [node] = readTlvs(der) ?? [];
  if (!node) throw new TypeError("not one DER value");
  return node;
}

/** Also what is wrapped in octet and bit strings, as extensions and keys are. */
function readTlvs(bytes: Uint8Array): readonly TlvNode[] | undefined {
  const nodes: TlvNode[] = [];
  for (let at = 0; at < bytes.length; ) {
    const first = bytes[at + 1] ?? 0xff;
    const count = first < 0x80 ? 0 : first & 0x7f;
    if (first === 0x80 || count > 3) return undefined;
    let length = count === 0 ? first : 0;
    for (let i = 0; i < count; i++) length = length * 256 + (bytes[at + 2 + i] ?? 0);
    const start = at + 2 + count;
    if (start + length > bytes.length) return undefined;
    nodes.push(nodeOf(bytes[at] ?? 0, bytes.subarray(start, start + length)));
    at = start + length;
  }
  return nodes;
}

const BIT_STRING = 0x03;
const OCTET_STRING = 0x04;
const CONSTRUCTED = 0x20;

function nodeOf(tag: number, content: Uint8Array): TlvNode {
  const isWrapper = tag === OCTET_STRING || (tag === BIT_STRING && content[0] === 0);
  if ((tag & CONSTRUCTED) === 0 && !isWrapper) return { tag, children: [], octets: content };
  const skip = tag === BIT_STRING ? 1 : 0;
  const children = content.length > skip + 1 ? readTlvs(content.subarray(skip)) : undefined;
  if (!children) return { tag, children: [], octets: content };
  return { tag, children, octets: content.subarray(0, skip) };
}

/** How the length of one value of the tree is written: a lie about what follows, or another form than DER's. */
interface Lie {
  readonly node: TlvNode;
  readonly write: (length: number) => readonly number[];
}

export function writeTlv(node: TlvNode, lie?: Lie): Uint8Array {
  const known = lie ? undefined : written.get(node);
  if (known) return known;
  const parts: Uint8Array[] = [node.octets];
  for (const child of node.children) parts.push(writeTlv(child, lie));
  const content = parts.length === 1 ? node.octets : Buffer.concat(parts);
  const length = lie?.node === node ? lie.write(content.length) : lengthOctets(content.length);
  const der = Buffer.concat([Uint8Array.of(node.tag, ...length), content]);
  if (!lie) written.set(node, der);
  return der;
}

/** What no change has touched is the same node as before. */
const written = new WeakMap<TlvNode, Uint8Array>();

function lengthOctets(length: number): readonly number[] {
  if (length < 0x80) return [length];
  if (length < 0x100) return [0x81, length];
  return length < 0x10000
    ? [0x82, length >> 8, length & 0xff]
    : [0x83, length >> 16, (length >> 8) & 0xff, length & 0xff];
}

/** One to three changes. `others` are values to splice parts of. */
export function mutateDer(random: Random, tree: TlvNode, others: readonly TlvNode[]): Uint8Array {
  let changed = tree;
  let lie: Lie | undefined;
  for (let left = 1 + random.below(3); left > 0; left -= 1) {
    const kind = random.below(12);
    if (kind === 0) lie = lieAbout(random, pick(random, nodesOf(changed)));
    else if (kind <= 8) changed = changeTree(random, changed, others);
    else return changeOctets(random, writeTlv(changed, lie));
  }
  return writeTlv(changed, lie);
}

/** Only the structure, truthfully written: for values that are signed again afterwards. */
export function mutateTree(random: Random, tree: TlvNode, others: readonly TlvNode[]): TlvNode {
  return changeTree(random, tree, others);
}

function nodesOf(tree: TlvNode): readonly TlvNode[] {
  const nodes = [tree];
  for (const node of nodes) nodes.push(...node.children);
  return nodes;
}

export function pick<T>(random: Random, from: readonly T[]): T {
  const one = from[random.below(from.length)];
  if (one === undefined) throw new TypeError("nothing to pick from");
  return one;
}

const LIES: readonly ((length: number) => readonly number[])[] = [
  (length) => lengthOctets(length + 1),
  (length) => lengthOctets(Math.max(0, length - 1)),
  (length) => lengthOctets(length ^ 0x40),
  () => [0x80],
  () => [0x84, 0xff, 0xff, 0xff, 0xff],
  () => [0x84, 0x7f, 0xff, 0xff, 0xff],
  () => [0x88, 0x80, 0, 0, 0, 0, 0, 0, 0],
  () => [0xff],
  () => [0],
  (length) => [0x82, (length >> 8) & 0xff, length & 0xff],
  (length) => [0x83, 0, (length >> 8) & 0xff, length & 0xff],
];

function lieAbout(random: Random, node: TlvNode): Lie {
  return { node, write: pick(random, LIES) };
}

const TAGS = [0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x0c, 0x13, 0x16, 0x17, 0x18, 0x1f, 0x30, 0x31];
const OIDS = Object.values(OID).map((dotted) => readTlv(encodeDer(writeOid(dotted))).octets);

/** One node of the tree becomes none, another, or several. */
function changeTree(random: Random, tree: TlvNode, others: readonly TlvNode[]): TlvNode {
  const target = pick(random, nodesOf(tree));
  const become = replacement(random, target, [tree, ...others]);
  return replaced(tree, target, become)[0] ?? tree;
}

function replaced(tree: TlvNode, target: TlvNode, become: readonly TlvNode[]): readonly TlvNode[] {
  if (tree === target) return become;
  if (tree.children.length === 0) return [tree];
  return [{ ...tree, children: tree.children.flatMap((one) => replaced(one, target, become)) }];
}

function replacement(
  random: Random,
  target: TlvNode,
  donors: readonly TlvNode[],
): readonly TlvNode[] {
  switch (random.below(9)) {
    case 0:
      return [];
    case 1:
      return [target, target];
    case 2:
      return [pick(random, nodesOf(pick(random, donors)))];
    case 3:
      return [target, pick(random, nodesOf(pick(random, donors)))];
    case 4:
      return [nest(target, 1 + random.below(random.below(8) === 0 ? 500 : 5))];
    case 5:
      return [{ ...target, tag: random.below(3) === 0 ? random.below(256) : pick(random, TAGS) }];
    case 6:
      return [swapOid(random, target)];
    case 7:
      return [{ ...target, children: shuffled(random, target.children) }];
    default:
      return [changeContent(random, target)];
  }
}

function nest(node: TlvNode, depth: number): TlvNode {
  let nested = node;
  for (let i = 0; i < depth; i++) nested = { tag: 0x30, children: [nested], octets: NOTHING };
  return nested;
}

const NOTHING = new Uint8Array();

function swapOid(random: Random, target: TlvNode): TlvNode {
  return { tag: 0x06, children: [], octets: isOid(target) ? pick(random, OIDS) : target.octets };
}

function isOid({ tag, octets }: TlvNode): boolean {
  if (tag !== 0x06) return false;
  try {
    return readOid({ tag, whole: octets, content: octets }) !== "";
  } catch {
    return false;
  }
}

function shuffled(random: Random, nodes: readonly TlvNode[]): readonly TlvNode[] {
  const [first, ...rest] = nodes;
  if (!first) return nodes;
  return random.below(2) === 0 ? nodes.toReversed() : [...rest, first];
}

const EDGES = ["", "00", "7f", "80", "ff", "00ff", "0080", "80".repeat(20), "ff".repeat(64)].map(
  (hex) => Buffer.from(hex, "hex"),
);

/** What is in a value without parts: an edge, cut, longer, huge, or some octets of it changed. */
function changeContent(random: Random, target: TlvNode): TlvNode {
  if (target.children.length > 0) return { ...target, children: target.children.slice(0, -1) };
  const { octets } = target;
  switch (random.below(6)) {
    case 0:
      return { ...target, octets: pick(random, EDGES) };
    case 1:
      return { ...target, octets: octets.subarray(0, random.below(octets.length + 1)) };
    case 2:
      return { ...target, octets: Buffer.concat([octets, pick(random, EDGES)]) };
    case 3:
      return { ...target, octets: new Uint8Array(random.below(20_000)).fill(random.below(256)) };
    default:
      return { ...target, octets: changeOctets(random, octets) };
  }
}

/** One to eight octets, or the end cut off, or something behind it. */
function changeOctets(random: Random, octets: Uint8Array): Uint8Array {
  const kind = random.below(8);
  if (kind === 0) return octets.subarray(0, random.below(octets.length + 1));
  if (kind === 1) return Buffer.concat([octets, pick(random, EDGES)]);
  const changed = Uint8Array.from(octets);
  for (let left = 1 + random.below(8); left > 0 && changed.length > 0; left -= 1) {
    const at = random.below(changed.length);
    changed[at] = kind < 5 ? random.below(256) : (changed[at] ?? 0) ^ (1 << random.below(8));
  }
  return changed;
}
