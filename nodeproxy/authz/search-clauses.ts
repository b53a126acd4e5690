/**
 * Asks an index for the clauses that match. Allocates nothing: the index is walked, not collected, and
 * lists are counted through, since `for … of` over lists of several kinds makes an iterator each time.
 */
import { isInCidr } from "../../core/model/ip.ts";
import { firstBlock, nextBlock } from "./block-tree.ts";
import { type Clause, matchesClause } from "./clause.ts";
import type { ClauseIndex, Table } from "./clause-index.ts";
import { isRequestDimension, type Key, type RequestDimension } from "./clause-keys.ts";
import type { Subject } from "./subject.ts";
import { nodeAfter, nodeBefore } from "./text-tree.ts";
import { textClaim } from "./token-facts.ts";

/** What is asked of the clauses on the way. */
interface Search {
  /** The matching clause of lowest order so far. */
  first: Clause | undefined;
  /** Where every matching clause goes, some twice; `undefined` where only the first is wanted. */
  all: Clause[] | undefined;
}

/** The one search there is: a search never starts another. */
const gathered: Clause[] = [];
const NONE: readonly Clause[] = [];
const search: Search = { first: undefined, all: undefined };

/** The match of lowest order, so that the reported rule does not depend on the shape of the index. */
export function findFirstMatch(index: ClauseIndex, subject: Subject): Clause | undefined {
  search.first = undefined;
  search.all = undefined;
  searchIndex(index, subject);
  return search.first;
}

/** Every match, ascending. Where there is none nothing is allocated. */
export function findAllMatches(index: ClauseIndex, subject: Subject): readonly Clause[] {
  search.first = undefined;
  search.all = gathered;
  searchIndex(index, subject);
  search.all = undefined;
  if (gathered.length === 0) return NONE;
  const matches = [...new Set(gathered)].toSorted((a, b) => a.order - b.order);
  gathered.length = 0;
  return matches;
}

function searchIndex(index: ClauseIndex, subject: Subject): void {
  if (isList(index)) {
    searchList(index, subject);
    return;
  }
  searchList(index.rest, subject);
  const { tables } = index;
  for (let i = 0; i < tables.length; i += 1) {
    const table = tables[i];
    if (table) searchTable(table, subject);
  }
}

function searchList(list: readonly Clause[], subject: Subject): void {
  for (let i = 0; i < list.length; i += 1) {
    const clause = list[i];
    if (!clause || isLate(clause)) return;
    if (matchesClause(clause, subject)) {
      if (!search.all) {
        search.first = clause;
        return;
      }
      search.all.push(clause);
    }
  }
}

/** A match before it is known, and one is enough. */
function isLate({ order }: Clause): boolean {
  return search.first !== undefined && order >= search.first.order;
}

function searchTable(table: Table, subject: Subject): void {
  const { attempt, names } = subject;
  const { dimension } = table;
  if (isRequestDimension(dimension)) return searchRequest(table, dimension, subject);
  switch (dimension) {
    case "principal":
      return searchTexts(table, names.principals, subject);
    case "namespace":
      return searchTexts(table, names.namespaces, subject);
    case "trustDomain":
      return searchTexts(table, names.trustDomains, subject);
    case "serviceAccount":
      return searchExact(table, names.account, subject);
    case "sourceIp":
      return searchBlocks(table, attempt.sourceIp, subject);
    case "destinationIp":
      return searchBlocks(table, attempt.destinationIp, subject);
    case "port":
      return searchExact(table, attempt.destinationPort, subject);
    case "serverName":
      return searchTexts(table, subject.serverNames, subject);
    case "remoteIp":
      return attempt.remoteIp && searchBlocks(table, attempt.remoteIp, subject);
  }
}

function searchRequest(table: Table, dimension: RequestDimension, subject: Subject): void {
  const { http } = subject.attempt;
  if (!http) return;
  switch (dimension) {
    case "method":
      return searchText(table, http.method, subject);
    case "path":
      return searchText(table, http.path, subject);
    case "host":
      return searchTexts(table, subject.hosts, subject);
    case "requestIssuer":
      return searchClaim(table, "iss", subject);
    case "requestSubject":
      return searchClaim(table, "sub", subject);
  }
}

function searchClaim(table: Table, name: string, subject: Subject): void {
  const text = textClaim(subject.attempt.http?.claims, name);
  if (text !== undefined) searchText(table, text, subject);
}

function searchExact({ exact }: Table, key: Key, subject: Subject): void {
  const found = exact?.get(key);
  if (found) searchIndex(found, subject);
}

function searchTexts(table: Table, texts: readonly string[], subject: Subject): void {
  for (let i = 0; i < texts.length; i += 1) searchText(table, texts[i] ?? "", subject);
}

function searchText(table: Table, text: string, subject: Subject): void {
  searchExact(table, text, subject);
  const { prefixes, suffixes } = table;
  if (prefixes) {
    let at = 0;
    for (let node = nodeAfter(prefixes, text, 0); node; node = nodeAfter(node, text, at)) {
      if (node.value) searchIndex(node.value, subject);
      at += node.label.length;
    }
  }
  if (suffixes) {
    let end = text.length;
    for (let node = nodeBefore(suffixes, text, end); node; node = nodeBefore(node, text, end)) {
      if (node.value) searchIndex(node.value, subject);
      end -= node.label.length;
    }
  }
}

function searchBlocks({ blocks }: Table, address: readonly number[], subject: Subject): void {
  if (!blocks) return;
  for (let node = firstBlock(blocks, address); node; node = nextBlock(node, address)) {
    if (node.value) {
      if (!isInCidr(node.block, address)) return;
      searchIndex(node.value, subject);
    }
  }
}

function isList(index: ClauseIndex): index is readonly Clause[] {
  return Array.isArray(index);
}
