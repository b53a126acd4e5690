/**
 * Which clauses can match an attempt at all? Built when the set arrives.
 *
 * A tree of tables. Each clause is filed under the dimension in which its keys are least crowded; a
 * crowded key is split again by the other dimensions; what no dimension tells apart is a list that is
 * scanned. The index only narrows: `matchesClause()` has the word (`search-clauses.ts`).
 */
import { blockOfKey } from "./block-key.ts";
import { addBlock, type BlockTree, createBlockTree } from "./block-tree.ts";
import type { Clause } from "./clause.ts";
import { DIMENSIONS, type Dimension, type Key, keysOf } from "./clause-keys.ts";
import { addText, createTextTree, reversed, type TextNode } from "./text-tree.ts";

/** A list of clauses by ascending order, or a further node. */
export type ClauseIndex = readonly Clause[] | IndexNode;

export interface IndexNode {
  readonly tables: readonly Table[];
  /** Clauses that no dimension tells apart. */
  readonly rest: readonly Clause[];
}

/** What is filed by one dimension; a part that would be empty is not there. */
export interface Table {
  readonly dimension: Dimension;
  readonly exact: ReadonlyMap<Key, ClauseIndex> | undefined;
  readonly prefixes: TextNode<ClauseIndex> | undefined;
  /** Filed from the end. */
  readonly suffixes: TextNode<ClauseIndex> | undefined;
  readonly blocks: BlockTree<ClauseIndex> | undefined;
}

/** Lists up to this length are scanned. */
const SHORT = 4;

export function createClauseIndex(
  clauses: readonly Clause[],
  dimensions: readonly Dimension[] = DIMENSIONS,
): ClauseIndex {
  // Copied: a list that grew one by one holds more room than it needs.
  if (clauses.length <= SHORT || dimensions.length === 0) return clauses.slice();
  const crowds = new Map(dimensions.map((dimension) => [dimension, countKeys(clauses, dimension)]));
  const filed = new Map<Dimension, Map<Key, Clause[]>>();
  const rest: Clause[] = [];
  for (const clause of clauses) {
    const dimension = leastCrowded(clause, crowds);
    if (dimension === undefined) rest.push(clause);
    else file(clause, dimension, filed);
  }
  if (filed.size === 0) return clauses.slice();
  const tables = [...filed].map(([dimension, lists]) =>
    createTable(
      dimension,
      lists,
      dimensions.filter((other) => other !== dimension),
    ),
  );
  return { tables, rest: rest.slice() };
}

function countKeys(clauses: readonly Clause[], dimension: Dimension): ReadonlyMap<Key, number> {
  const counts = new Map<Key, number>();
  for (const clause of clauses) {
    for (const key of keysOf(clause, dimension) ?? []) counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return counts;
}

function leastCrowded(
  clause: Clause,
  crowds: ReadonlyMap<Dimension, ReadonlyMap<Key, number>>,
): Dimension | undefined {
  let best: Dimension | undefined;
  let bestCrowd = Number.POSITIVE_INFINITY;
  for (const [dimension, counts] of crowds) {
    const keys = counts.size > 0 ? keysOf(clause, dimension) : undefined;
    if (keys) {
      let crowd = 0;
      for (const key of keys) crowd = Math.max(crowd, counts.get(key) ?? 0);
      if (crowd < bestCrowd) {
        best = dimension;
        bestCrowd = crowd;
      }
    }
  }
  return best;
}

function file(
  clause: Clause,
  dimension: Dimension,
  filed: Map<Dimension, Map<Key, Clause[]>>,
): void {
  const lists = filed.get(dimension) ?? new Map<Key, Clause[]>();
  filed.set(dimension, lists);
  for (const key of new Set(keysOf(clause, dimension))) {
    const list = lists.get(key);
    if (list) list.push(clause);
    else lists.set(key, [clause]);
  }
}

function createTable(
  dimension: Dimension,
  lists: ReadonlyMap<Key, readonly Clause[]>,
  others: readonly Dimension[],
): Table {
  const exact = new Map<Key, ClauseIndex>();
  const prefixes = createTextTree<ClauseIndex>();
  const suffixes = createTextTree<ClauseIndex>();
  const blocks = createBlockTree<ClauseIndex>();
  const isIp = dimension.endsWith("Ip");
  for (const [key, list] of lists) {
    const index = createClauseIndex(list, others);
    if (isIp) addBlock(blocks, blockOfKey(key), index);
    else if (isPrefix(key)) addText(prefixes, `${key}`.slice(0, -1), index);
    else if (isSuffix(key)) addText(suffixes, reversed(`${key}`.slice(1)), index);
    else exact.set(key, index);
  }
  return {
    dimension,
    exact: exact.size > 0 ? exact : undefined,
    prefixes: prefixes.children.length > 0 ? prefixes : undefined,
    suffixes: suffixes.children.length > 0 ? suffixes : undefined,
    blocks: isIp ? blocks : undefined,
  };
}

function isPrefix(key: Key): boolean {
  return typeof key === "string" && key.endsWith("*");
}

function isSuffix(key: Key): boolean {
  return typeof key === "string" && key.startsWith("*");
}
