/**
 * Which clauses can match an attempt at all? An index of all that rule an attempt, whatever their
 * action, in three pieces of memory, so that a decision touches few places.
 *
 * Each clause is filed under the dimension in which its keys are least crowded; a crowded key is split
 * again by the other dimensions; what no dimension tells apart is a list. Every list is a block:
 *
 *   slots:   [hash, block] by turns, open addressing: a key of a block, salted with the block → its list
 *   blocks:  shape, count, then clause, dimension and hash for each of the list
 *   shapes:  in which dimensions, and by how many characters, the keys below a block are to be asked
 *
 * The index only narrows: `matchesClause()` has the word (`search-table.ts`).
 */
import type { Clause } from "./clause.ts";
import { BLOCK4, BLOCK6, DIMENSIONS, type Dimension, EXACT, PREFIX } from "./clause-keys.ts";
import { type CrowdTable, countCrowds, membersOf } from "./crowd-table.ts";
import { GrowingInts } from "./growing-ints.ts";
import { mixed } from "./key-hash.ts";
import { KeyList } from "./key-list.ts";

export interface ClauseTable {
  /** Ascending: who decides before whom. The place is the clause's id. */
  readonly clauses: readonly Clause[];
  readonly slots: Int32Array;
  readonly blocks: Int32Array;
  readonly shapes: readonly (readonly ShapePart[])[];
}

/** How the keys of one dimension are asked. */
export interface ShapePart {
  readonly name: Dimension;
  /** Place in `DIMENSIONS`. */
  readonly dimension: number;
  readonly exact: boolean;
  /** Ascending, in characters. */
  readonly prefixes: readonly number[];
  readonly suffixes: readonly number[];
  /** Ascending, in bits. */
  readonly v4: readonly number[];
  readonly v6: readonly number[];
}

/** Numbers for each clause of a list: its id, and the dimension (-1: none) in which it must have this hash. */
export const ENTRY = 3;
/** Numbers before the list. */
export const HEADER = 2;

/** Lists up to this length are scanned. */
const SHORT = 3;
/** Dimensions of which an attempt has one value at most, so that a list can be scanned by hashes alone. */
const CHECKED = ["serviceAccount", "requestSubject", "namespace", "port", "method"] as const;
const CHECKED_BITS: number = CHECKED.reduce(
  (bits, name) => bits | (1 << DIMENSIONS.indexOf(name)),
  0,
);

interface Building {
  readonly keys: KeyList;
  readonly blocks: GrowingInts;
  /** Salted hash and block by turns. */
  readonly filed: GrowingInts;
  readonly shapes: Map<string, number>;
  readonly parts: (readonly ShapePart[])[];
}

export function createClauseTable(clauses: readonly Clause[]): ClauseTable {
  const building: Building = {
    keys: new KeyList(clauses),
    blocks: new GrowingInts(),
    filed: new GrowingInts(),
    shapes: new Map(),
    parts: [],
  };
  const ids = Int32Array.from(clauses, (_, id) => id);
  addBlock(building, ids, 0);
  return {
    clauses,
    slots: slotsOf(building.filed),
    blocks: building.blocks.done(),
    shapes: building.parts,
  };
}

export function saltOf(block: number, dimension: number, kind: number): number {
  return (Math.imul(block, 128) + dimension * 8 + (kind & 7)) | 0;
}

/** Files the clauses in a block of their own and says where it is. `used`: a bit for each dimension that is the same for all. */
function addBlock(building: Building, ids: Int32Array, used: number): number {
  const { keys } = building;
  if (ids.length <= SHORT) return addList(building, ids, used);
  const crowds = countCrowds(keys, ids, used);
  const members = membersOf({ keys, ids, used }, crowds);
  const block = addList(building, members.rest, used);
  building.blocks.set(block, shapeOf(building, crowds));
  for (const slot of crowds.filled) {
    const below = addBlock(building, members.of(slot), used | (1 << crowds.dimension(slot)));
    const salt = saltOf(block, crowds.dimension(slot), crowds.kind(slot));
    building.filed.push(mixed(crowds.hash(slot), salt));
    building.filed.push(below);
  }
  return block;
}

function addList({ blocks, keys }: Building, ids: Int32Array, used: number): number {
  const block = blocks.length;
  blocks.push(0);
  blocks.push(ids.length);
  for (const id of ids) {
    const run = keys.onlyExact(id, CHECKED_BITS & ~used);
    blocks.push(id);
    blocks.push(run < 0 ? -1 : keys.dimension(run));
    blocks.push(run < 0 ? 0 : keys.hash(keys.first(run)));
  }
  return block;
}

/** Its number, from 1; 0 where no key was filed. Blocks of one shape share it. */
function shapeOf({ shapes, parts }: Building, crowds: CrowdTable): number {
  const kinds = new Set<number>();
  for (const slot of crowds.filled) kinds.add(crowds.dimension(slot) * 4096 + crowds.kind(slot));
  if (kinds.size === 0) return 0;
  const sorted = [...kinds].toSorted((a, b) => a - b);
  const name = sorted.join();
  const known = shapes.get(name);
  if (known !== undefined) return known;
  const byDimension = Map.groupBy(sorted, (kind) => Math.floor(kind / 4096));
  parts.push([...byDimension].map(([dimension, all]) => shapePart(dimension, all)));
  shapes.set(name, parts.length);
  return parts.length;
}

function shapePart(dimension: number, kinds: readonly number[]): ShapePart {
  const lengths: number[][] = [[], [], [], [], []];
  for (const kind of kinds) lengths[kind & 7]?.push((kind & 4095) >> 3);
  const [exact = [], prefixes = [], suffixes = [], v4 = [], v6 = []] = [
    lengths[EXACT],
    lengths[PREFIX],
    lengths[PREFIX + 1],
    lengths[BLOCK4],
    lengths[BLOCK6],
  ];
  const name = DIMENSIONS[dimension];
  if (name === undefined) throw new RangeError(`dimension ${dimension}`);
  return { name, dimension, exact: exact.length > 0, prefixes, suffixes, v4, v6 };
}

/** At most half full, so that a miss is mostly one look. */
function slotsOf(filed: GrowingInts): Int32Array {
  const count = filed.length / 2;
  let size = 4;
  while (size < count * 2) size *= 2;
  const slots = new Int32Array(size * 2);
  for (let i = 0; i < filed.length; i += 2) {
    let at = filed.at(i) & (size - 1);
    while (slots[at * 2 + 1] !== 0) at = (at + 1) & (size - 1);
    slots[at * 2] = filed.at(i);
    slots[at * 2 + 1] = filed.at(i + 1);
  }
  return slots;
}
