/**
 * Does any value of one field's list match? A short list is scanned; a long one is hashed when its
 * policy arrives and kept as long as the policy lives, so that one giant policy stays fast. Asking
 * allocates nothing.
 */
import type {
  PathMatch,
  RequestPrincipalMatch,
  ServiceAccountRef,
  StringMatch,
} from "../../core/model/authorization-policy.ts";
import { type Cidr, isInCidr } from "../../core/model/ip.ts";
import type { Peer } from "./attempt.ts";
import { addBlock, type BlockTree, createBlockTree, hasBlock } from "./block-tree.ts";
import { matchesPath, matchesText } from "./match-text.ts";
import {
  addText,
  createTextTree,
  hasPrefix,
  hasSuffix,
  reversed,
  type TextNode,
} from "./text-tree.ts";

/** Up to here a scan costs less than hashing. */
const LONG_LIST = 12;

interface LongTexts {
  readonly exact: ReadonlySet<string>;
  readonly prefixes: TextNode<true>;
  readonly suffixes: TextNode<true>;
  /** Forms that no table holds: `*` and templates. */
  readonly others: readonly PathMatch[];
}

type AccountTable = ReadonlyMap<string, ReadonlySet<string>>;

const longTexts = new WeakMap<readonly PathMatch[], LongTexts>();
const longAccounts = new WeakMap<readonly ServiceAccountRef[], AccountTable>();
const longBlocks = new WeakMap<readonly Cidr[], BlockTree<true>>();

/** True if any of `texts` (forms of one value, none for a missing value) satisfies any of `list`. */
export function matchesAnyText(list: readonly StringMatch[], texts: readonly string[]): boolean {
  if (list.length === 0) return false;
  for (let i = 0; i < texts.length; i += 1) {
    if (matchesAny(list, texts[i] ?? "")) return true;
  }
  return false;
}

export function matchesAny(list: readonly PathMatch[], text: string): boolean {
  if (list.length > LONG_LIST) return matchesLong(hashedTexts(list), text);
  for (let i = 0; i < list.length; i += 1) {
    const match = list[i];
    if (match && matchesPath(match, text)) return true;
  }
  return false;
}

export function matchesAnyRequestPrincipal(
  list: readonly RequestPrincipalMatch[],
  issuer: string | undefined,
  subject: string | undefined,
): boolean {
  if (issuer === undefined || subject === undefined) return false;
  for (let i = 0; i < list.length; i += 1) {
    const match = list[i];
    if (match && matchesText(match.issuer, issuer) && matchesText(match.subject, subject)) {
      return true;
    }
  }
  return false;
}

export function isAccountIn(list: readonly ServiceAccountRef[], peer: Peer | undefined): boolean {
  if (!peer) return false;
  const { namespace, serviceAccount } = peer;
  if (list.length > LONG_LIST) {
    return hashedAccounts(list).get(namespace)?.has(serviceAccount) === true;
  }
  for (let i = 0; i < list.length; i += 1) {
    const account = list[i];
    if (account?.namespace === namespace && account.name === serviceAccount) return true;
  }
  return false;
}

export function isInAnyBlock(list: readonly Cidr[], address: readonly number[]): boolean {
  if (list.length > LONG_LIST) return hasBlock(hashedBlocks(list), address);
  for (let i = 0; i < list.length; i += 1) {
    const block = list[i];
    if (block && isInCidr(block, address)) return true;
  }
  return false;
}

function matchesLong({ exact, prefixes, suffixes, others }: LongTexts, text: string): boolean {
  if (exact.has(text) || hasPrefix(prefixes, text) || hasSuffix(suffixes, text)) return true;
  for (let i = 0; i < others.length; i += 1) {
    const match = others[i];
    if (match && matchesPath(match, text)) return true;
  }
  return false;
}

/** To be asked when the policy arrives, so that no decision waits for it. */
export function hashIfLong(list: readonly PathMatch[]): void {
  if (list.length > LONG_LIST) hashedTexts(list);
}

export function hashAccountsIfLong(list: readonly ServiceAccountRef[]): void {
  if (list.length > LONG_LIST) hashedAccounts(list);
}

export function hashBlocksIfLong(list: readonly Cidr[]): void {
  if (list.length > LONG_LIST) hashedBlocks(list);
}

function hashedTexts(list: readonly PathMatch[]): LongTexts {
  const known = longTexts.get(list);
  if (known) return known;
  const exact = new Set<string>();
  const prefixes = new Set<string>();
  const suffixes = new Set<string>();
  const others: PathMatch[] = [];
  for (const match of list) {
    if (match.kind === "exact") exact.add(match.value);
    else if (match.kind === "prefix") prefixes.add(match.value);
    else if (match.kind === "suffix") suffixes.add(reversed(match.value));
    else others.push(match);
  }
  const made = { exact, prefixes: treeOf(prefixes), suffixes: treeOf(suffixes), others };
  longTexts.set(list, made);
  return made;
}

function treeOf(texts: ReadonlySet<string>): TextNode<true> {
  const root = createTextTree<true>();
  for (const text of texts) addText(root, text, true);
  return root;
}

function hashedAccounts(list: readonly ServiceAccountRef[]): AccountTable {
  const known = longAccounts.get(list);
  if (known) return known;
  const made = new Map<string, Set<string>>();
  for (const { namespace, name } of list) {
    const names = made.get(namespace);
    if (names) names.add(name);
    else made.set(namespace, new Set([name]));
  }
  longAccounts.set(list, made);
  return made;
}

function hashedBlocks(list: readonly Cidr[]): BlockTree<true> {
  const known = longBlocks.get(list);
  if (known) return known;
  const made = createBlockTree<true>();
  for (const block of list) addBlock(made, block, true);
  longBlocks.set(list, made);
  return made;
}
