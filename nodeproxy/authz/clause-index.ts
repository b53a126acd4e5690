/**
 * Which clauses can match an attempt at all? Built when the set arrives; asked once a connection.
 *
 * A tree of hash tables. Each clause is filed under the dimension in which its keys are least
 * crowded; a crowded key is split again by the other dimensions; what no dimension tells apart is a
 * list that is scanned. The index only narrows: `matchesClause()` has the word.
 */
import type { Subject } from "./attempt.ts";
import { maskedKey } from "./block-key.ts";
import { type Clause, DIMENSIONS, type Dimension, type Key, keysOf } from "./clause.ts";
import { accountKey } from "./match-list.ts";

/** A list of clauses by ascending order, or a further node. */
export type ClauseIndex = readonly Clause[] | Node;

interface Node {
  readonly tables: readonly Table[];
  /** Clauses that no dimension tells apart. */
  readonly rest: readonly Clause[];
}

interface Table {
  readonly dimension: Dimension;
  readonly entries: ReadonlyMap<Key, ClauseIndex>;
  /** Lengths of the patterns filed here: of texts that are prefixes or suffixes, of IPv4 and IPv6 blocks. */
  readonly prefixes: readonly number[];
  readonly suffixes: readonly number[];
  readonly blocks4: readonly number[];
  readonly blocks6: readonly number[];
}

/** Lists up to this length are scanned. */
const SHORT = 8;

export function createClauseIndex(
  clauses: readonly Clause[],
  dimensions: readonly Dimension[] = DIMENSIONS,
): ClauseIndex {
  if (clauses.length <= SHORT || dimensions.length === 0) return clauses;
  const crowds = new Map(dimensions.map((dimension) => [dimension, countKeys(clauses, dimension)]));
  const filed = new Map<Dimension, Map<Key, Clause[]>>();
  const rest: Clause[] = [];
  for (const clause of clauses) {
    const dimension = leastCrowded(clause, crowds);
    if (dimension === undefined) rest.push(clause);
    else file(clause, dimension, filed);
  }
  if (filed.size === 0) return clauses;
  const tables = [...filed].map(([dimension, lists]) =>
    createTable(
      dimension,
      lists,
      dimensions.filter((other) => other !== dimension),
    ),
  );
  return { tables, rest };
}

/** Appends the lists of clauses that may match; each list ascends, a clause may be in several. */
export function collectCandidates(
  index: ClauseIndex,
  subject: Subject,
  lists: (readonly Clause[])[],
): void {
  if (isList(index)) {
    if (index.length > 0) lists.push(index);
    return;
  }
  if (index.rest.length > 0) lists.push(index.rest);
  for (const table of index.tables) collectFromTable(table, subject, lists);
}

function collectFromTable(table: Table, subject: Subject, lists: (readonly Clause[])[]): void {
  const { attempt } = subject;
  switch (table.dimension) {
    case "principal":
      return collectTexts(table, subject.principals, { subject, lists });
    case "namespace":
      return collectTexts(table, subject.namespaces, { subject, lists });
    case "trustDomain":
      return collectTexts(table, subject.trustDomains, { subject, lists });
    case "serviceAccount":
      if (attempt.peer) collectKey(table, accountKey(attempt.peer), { subject, lists });
      return;
    case "sourceIp":
      return collectBlocks(table, attempt.sourceIp, { subject, lists });
    case "destinationIp":
      return collectBlocks(table, attempt.destinationIp, { subject, lists });
    case "port":
      return collectKey(table, attempt.destinationPort, { subject, lists });
  }
}

interface Collection {
  readonly subject: Subject;
  readonly lists: (readonly Clause[])[];
}

function collectKey(table: Table, key: Key, { subject, lists }: Collection): void {
  const found = table.entries.get(key);
  if (found) collectCandidates(found, subject, lists);
}

function collectTexts(table: Table, texts: readonly string[], into: Collection): void {
  for (const text of texts) {
    collectKey(table, text, into);
    for (const length of table.prefixes) {
      if (length <= text.length) collectKey(table, `${text.slice(0, length)}*`, into);
    }
    for (const length of table.suffixes) {
      if (length <= text.length) collectKey(table, `*${text.slice(text.length - length)}`, into);
    }
  }
}

function collectBlocks(table: Table, address: readonly number[], into: Collection): void {
  const lengths = address.length === 4 ? table.blocks4 : table.blocks6;
  for (const length of lengths) collectKey(table, maskedKey(address, length), into);
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
  lists: Map<Key, Clause[]>,
  others: readonly Dimension[],
): Table {
  const entries: Map<Key, ClauseIndex> = lists;
  for (const [key, list] of lists) {
    if (list.length > SHORT) entries.set(key, createClauseIndex(list, others));
  }
  const isText =
    dimension === "principal" || dimension === "namespace" || dimension === "trustDomain";
  const isIp = dimension === "sourceIp" || dimension === "destinationIp";
  return {
    dimension,
    entries,
    prefixes: isText ? lengths(lists, (key) => isPrefix(key) && key.length - 1) : [],
    suffixes: isText ? lengths(lists, (key) => isSuffix(key) && key.length - 1) : [],
    blocks4: isIp ? lengths(lists, (key) => typeof key === "number" && key % 64) : [],
    blocks6: isIp
      ? lengths(lists, (key) => typeof key === "string" && Number.parseInt(key, 10))
      : [],
  };
}

function lengths(
  lists: ReadonlyMap<Key, unknown>,
  lengthOf: (key: Key) => number | false,
): readonly number[] {
  const found = new Set<number>();
  for (const key of lists.keys()) {
    const length = lengthOf(key);
    if (length !== false) found.add(length);
  }
  return [...found];
}

function isPrefix(key: Key): key is string {
  return typeof key === "string" && key.endsWith("*");
}

function isSuffix(key: Key): key is string {
  return typeof key === "string" && key.startsWith("*");
}

function isList(index: ClauseIndex): index is readonly Clause[] {
  return Array.isArray(index);
}
