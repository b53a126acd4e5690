/**
 * Does any value of one field's list match? A short list is scanned; a long one is hashed the first
 * time it is asked and kept as long as the policy lives, so that one giant policy stays fast.
 */
import type { ServiceAccountRef, StringMatch } from "../../core/model/authorization-policy.ts";
import { type Cidr, isInCidr } from "../../core/model/ip.ts";
import type { Peer } from "./attempt.ts";
import { blockKey, maskedKey } from "./block-key.ts";

/** Up to here a scan costs less than hashing. */
const LONG_LIST = 12;

interface LongTexts {
  readonly exact: ReadonlySet<string>;
  readonly patterns: readonly StringMatch[];
}

interface LongBlocks {
  readonly keys: ReadonlySet<string | number>;
  readonly prefixLengths: Readonly<Record<4 | 6, readonly number[]>>;
}

const longTexts = new WeakMap<readonly StringMatch[], LongTexts>();
const longAccounts = new WeakMap<readonly ServiceAccountRef[], ReadonlySet<string>>();
const longBlocks = new WeakMap<readonly Cidr[], LongBlocks>();

/** True if any of `texts` (forms of one value, none for a missing value) satisfies any of `list`. */
export function matchesAnyText(list: readonly StringMatch[], texts: readonly string[]): boolean {
  if (list.length === 0) return false;
  return texts.some((text) =>
    list.length > LONG_LIST
      ? matchesLong(list, text)
      : list.some((match) => matchesText(match, text)),
  );
}

export function isAccountIn(
  list: readonly ServiceAccountRef[],
  peer: Pick<Peer, "namespace" | "serviceAccount"> | undefined,
): boolean {
  if (!peer || list.length === 0) return false;
  if (list.length > LONG_LIST) {
    return remembered(longAccounts, list, hashAccounts).has(accountKey(peer));
  }
  return list.some(
    ({ namespace, name }) => namespace === peer.namespace && name === peer.serviceAccount,
  );
}

export function isInAnyBlock(list: readonly Cidr[], address: readonly number[]): boolean {
  if (list.length <= LONG_LIST) return list.some((block) => isInCidr(block, address));
  const { keys, prefixLengths } = remembered(longBlocks, list, hashBlocks);
  const lengths = prefixLengths[address.length === 4 ? 4 : 6];
  return lengths.some((length) => keys.has(maskedKey(address, length)));
}

export function accountKey(peer: Pick<Peer, "namespace" | "serviceAccount">): string {
  return `${peer.namespace}/${peer.serviceAccount}`;
}

function matchesText(match: StringMatch, text: string): boolean {
  switch (match.kind) {
    case "exact":
      return text === match.value;
    case "prefix":
      return text.startsWith(match.value);
    case "suffix":
      return text.endsWith(match.value);
    case "present":
      return text !== "";
  }
}

function matchesLong(list: readonly StringMatch[], text: string): boolean {
  const { exact, patterns } = remembered(longTexts, list, hashTexts);
  return exact.has(text) || patterns.some((match) => matchesText(match, text));
}

function remembered<K extends object, V>(cache: WeakMap<K, V>, list: K, make: (list: K) => V): V {
  const known = cache.get(list);
  if (known) return known;
  const made = make(list);
  cache.set(list, made);
  return made;
}

function hashTexts(list: readonly StringMatch[]): LongTexts {
  const exact = list.flatMap((match) => (match.kind === "exact" ? [match.value] : []));
  return { exact: new Set(exact), patterns: list.filter((match) => match.kind !== "exact") };
}

function hashAccounts(list: readonly ServiceAccountRef[]): ReadonlySet<string> {
  return new Set(list.map(({ namespace, name }) => `${namespace}/${name}`));
}

function hashBlocks(list: readonly Cidr[]): LongBlocks {
  return {
    keys: new Set(list.map(blockKey)),
    prefixLengths: { 4: lengthsOf(list, 4), 6: lengthsOf(list, 6) },
  };
}

function lengthsOf(list: readonly Cidr[], family: 4 | 6): readonly number[] {
  return [...new Set(list.filter((b) => b.family === family).map((b) => b.prefixLength))];
}
