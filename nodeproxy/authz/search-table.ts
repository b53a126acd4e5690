/**
 * Asks an index for the clauses that match. Allocates nothing: the index is walked, not collected, and
 * lists are counted through, since `for … of` over lists of several kinds makes an iterator each time.
 */
import type { CompiledPolicy } from "../../core/model/authorization-policy.ts";
import { type Clause, matchesClause } from "./clause.ts";
import {
  BLOCK4,
  BLOCK6,
  DIMENSIONS,
  type Dimension,
  EXACT,
  PREFIX,
  SUFFIX,
} from "./clause-keys.ts";
import {
  type ClauseTable,
  createClauseTable,
  ENTRY,
  HEADER,
  type ShapePart,
  saltOf,
} from "./clause-table.ts";
import { addressHash, EMPTY_HEAD, EMPTY_TAIL, mixed, nextHash, textHash } from "./key-hash.ts";
import { borrowSubject, type Subject } from "./subject.ts";
import { textClaim } from "./token-facts.ts";

const NONE: readonly Clause[] = [];
const NOBODY: ReadonlySet<CompiledPolicy> = new Set();
const gathered: Clause[] = [];
/** Of the values of which an attempt has one at most, by place of the dimension; and whether it has. */
const hashes = new Int32Array(DIMENSIONS.length);
const isThere = new Uint8Array(DIMENSIONS.length);
const ACCOUNT = DIMENSIONS.indexOf("serviceAccount");
const NAMESPACE = DIMENSIONS.indexOf("namespace");
const PORT = DIMENSIONS.indexOf("port");
const METHOD = DIMENSIONS.indexOf("method");
const REQUESTER = DIMENSIONS.indexOf("requestSubject");

/** The one search there is: a search never starts another. */
const search = {
  table: createClauseTable([]),
  subject: borrowSubject({ sourceIp: [], destinationIp: [], destinationPort: 0 }, []),
  /** The lowest id that matched; at first `from`. */
  first: 0,
  /** The lowest id of clauses that do not decide: every match of those is gathered. */
  from: 0,
  gone: NOBODY,
};

/**
 * The id of the first clause that matches of those before `from`, or `from`: so the reported rule does
 * not depend on the shape of the index. Matches from there on are left for `takeGathered()`.
 */
export function findFirst(table: ClauseTable, from: number): number {
  search.table = table;
  search.first = from;
  search.from = from;
  searchBlock(0);
  return search.first;
}

/** To be called first: for whom the next searches are. Clauses of policies that are `gone` match nothing. */
export function searchFor(subject: Subject, gone: ReadonlySet<CompiledPolicy>): void {
  search.subject = subject;
  search.gone = gone;
  noteHashes(subject);
}

/** How the keys of a block are asked in each dimension. */
const SEARCHES: Readonly<Record<Dimension, (block: number, part: ShapePart) => void>> = {
  principal: (block, part) => searchTexts(block, part, search.subject.names.principals),
  namespace: (block, part) => searchTexts(block, part, search.subject.names.namespaces),
  trustDomain: (block, part) => searchTexts(block, part, search.subject.names.trustDomains),
  serverName: (block, part) => searchTexts(block, part, search.subject.serverNames),
  host: (block, part) => searchTexts(block, part, search.subject.hosts),
  method: (block, part) => searchText(block, part, search.subject.attempt.http?.method),
  path: (block, part) => searchText(block, part, search.subject.attempt.http?.path),
  requestIssuer: (block, part) => searchText(block, part, claim("iss")),
  requestSubject: (block, part) => searchText(block, part, claim("sub")),
  serviceAccount: searchNoted,
  port: searchNoted,
  sourceIp: (block, part) => searchAddress(block, part, search.subject.attempt.sourceIp),
  destinationIp: (block, part) => searchAddress(block, part, search.subject.attempt.destinationIp),
  remoteIp: (block, part) => searchAddress(block, part, search.subject.attempt.remoteIp),
};

function claim(name: string): string | undefined {
  return textClaim(search.subject.attempt.http?.claims, name);
}

/** Those that do not decide, ascending. Where there is none nothing is allocated. */
export function takeGathered(): readonly Clause[] {
  if (gathered.length === 0) return NONE;
  const matches = [...new Set(gathered)].toSorted(compareClauses);
  gathered.length = 0;
  return matches;
}

/** By name of the policy, then as written. */
function compareClauses(a: Clause, b: Clause): number {
  if (a.policy === b.policy) return a.order - b.order;
  return a.policy.ref < b.policy.ref ? -1 : 1;
}

function noteHashes({ attempt, names }: Subject): void {
  note(PORT, attempt.destinationPort);
  noteText(ACCOUNT, attempt.peer && names.account);
  noteText(NAMESPACE, attempt.peer?.namespace);
  noteText(METHOD, attempt.http?.method);
  noteText(REQUESTER, textClaim(attempt.http?.claims, "sub"));
}

function noteText(dimension: number, text: string | undefined): void {
  if (text === undefined) isThere[dimension] = 0;
  else note(dimension, textHash(text));
}

function note(dimension: number, hash: number): void {
  hashes[dimension] = hash;
  isThere[dimension] = 1;
}

function searchBlock(block: number): void {
  searchList(block);
  const { blocks, shapes } = search.table;
  const shape = blocks[block] ?? 0;
  const parts = shape > 0 ? shapes[shape - 1] : undefined;
  if (!parts) return;
  for (let i = 0; i < parts.length; i += 1) {
    const part = parts[i];
    if (part) SEARCHES[part.name](block, part);
  }
}

function searchList(block: number): void {
  const { blocks } = search.table;
  const end = block + HEADER + (blocks[block + 1] ?? 0) * ENTRY;
  for (let at = block + HEADER; at < end; at += ENTRY) {
    if (canMatch(blocks[at + 1] ?? -1, blocks[at + 2] ?? 0)) ask(blocks[at] ?? 0);
  }
}

function ask(id: number): void {
  const decides = id < search.from;
  // One after the first match is not asked; but what does not decide always is.
  if (decides && id >= search.first) return;
  const clause = search.table.clauses[id];
  if (!clause || !isLive(clause) || !matchesClause(clause, search.subject)) return;
  if (decides) search.first = id;
  else gathered.push(clause);
}

function isLive({ policy }: Clause): boolean {
  return search.gone.size === 0 || !search.gone.has(policy);
}

function canMatch(dimension: number, hash: number): boolean {
  return dimension < 0 || (isThere[dimension] === 1 && hashes[dimension] === hash);
}

function searchNoted(block: number, { dimension }: ShapePart): void {
  if (isThere[dimension] === 1) look(saltOf(block, dimension, EXACT), hashes[dimension] ?? 0);
}

function searchTexts(block: number, part: ShapePart, texts: readonly string[]): void {
  for (let i = 0; i < texts.length; i += 1) searchText(block, part, texts[i]);
}

function searchText(block: number, part: ShapePart, text: string | undefined): void {
  if (text === undefined) return;
  const { dimension, exact, prefixes, suffixes } = part;
  if (exact) look(saltOf(block, dimension, EXACT), textHash(text));
  if (prefixes.length > 0) searchPrefixes(block, part, text);
  if (suffixes.length > 0) searchSuffixes(block, part, text);
}

function searchPrefixes(block: number, { dimension, prefixes }: ShapePart, text: string): void {
  const salt = saltOf(block, dimension, PREFIX);
  let hash = EMPTY_HEAD;
  let at = 0;
  for (let i = 0; i < prefixes.length; i += 1) {
    const length = prefixes[i] ?? 0;
    if (length > text.length) return;
    for (; at < length; at += 1) hash = nextHash(hash, text.charCodeAt(at));
    look(salt, hash);
  }
}

function searchSuffixes(block: number, { dimension, suffixes }: ShapePart, text: string): void {
  const salt = saltOf(block, dimension, SUFFIX);
  let hash = EMPTY_TAIL;
  let at = 0;
  for (let i = 0; i < suffixes.length; i += 1) {
    const length = suffixes[i] ?? 0;
    if (length > text.length) return;
    for (; at < length; at += 1) hash = nextHash(hash, text.charCodeAt(text.length - 1 - at));
    look(salt, hash);
  }
}

function searchAddress(
  block: number,
  part: ShapePart,
  address: readonly number[] | undefined,
): void {
  if (!address) return;
  const isV4 = address.length === 4;
  const lengths = isV4 ? part.v4 : part.v6;
  const salt = saltOf(block, part.dimension, isV4 ? BLOCK4 : BLOCK6);
  for (let i = 0; i < lengths.length; i += 1) look(salt, addressHash(address, lengths[i] ?? 0));
}

/** Every list of that hash, which mostly is one or none: two keys of one hash have a slot each. */
function look(salt: number, hash: number): void {
  const { slots } = search.table;
  const mask = slots.length / 2 - 1;
  const wanted = mixed(hash, salt);
  for (let at = wanted & mask; ; at = (at + 1) & mask) {
    const found = slots[at * 2 + 1] ?? 0;
    if (found === 0) return;
    if (slots[at * 2] === wanted) searchBlock(found);
  }
}
