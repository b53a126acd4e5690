/** Long lists: of small texts and blocks, every one asked of trees that were filled in several orders, against the plain scan. */
import type { StringMatch } from "../../core/model/authorization-policy.ts";
import { type Cidr, isInCidr } from "../../core/model/ip.ts";
import { addBlock, createBlockTree, hasBlock } from "../../nodeproxy/authz/block-tree.ts";
import { matchesAny } from "../../nodeproxy/authz/match-list.ts";
import {
  addText,
  createTextTree,
  hasPrefix,
  hasSuffix,
  reversed,
} from "../../nodeproxy/authz/text-tree.ts";
import { SeededRandom } from "../fakes/seeded-random.ts";
import type { KnownAnswer } from "./known-facts.ts";

const SEED = 7_002;
const ROUNDS = 150;
const TEXTS: readonly string[] = textsUpTo(4);
const FIRST_BYTES = [0, 1, 127, 128, 255];

export function knownTrees(): readonly KnownAnswer[] {
  const random = new SeededRandom(SEED);
  const rounds = Array.from({ length: ROUNDS }, () => [
    wrongTexts(random),
    wrongBlocks(random, 4),
    wrongBlocks(random, 6),
    wrongLongList(random),
  ]);
  return [[rounds.flat(2).join(), ""]];
}

/** Of two letters. */
function textsUpTo(length: number): readonly string[] {
  if (length === 0) return [""];
  const shorter = textsUpTo(length - 1);
  const longest = shorter.filter((text) => text.length === length - 1);
  return [...shorter, ...longest.flatMap((text) => [`${text}a`, `${text}b`])];
}

function picked<T>(random: SeededRandom, list: readonly T[]): readonly T[] {
  const share = random.next() * 0.4;
  const order = list.map((item) => ({ item, at: random.next() }));
  return order
    .filter(() => random.chance(share))
    .toSorted((a, b) => a.at - b.at)
    .map(({ item }) => item);
}

function wrongTexts(random: SeededRandom): readonly string[] {
  const filed = picked(
    random,
    TEXTS.filter((text) => text !== ""),
  );
  const heads = createTextTree<true>();
  const tails = createTextTree<true>();
  for (const text of filed) {
    addText(heads, text, true);
    addText(tails, reversed(text), true);
  }
  return TEXTS.filter(
    (text) =>
      hasPrefix(heads, text) !== filed.some((start) => text.startsWith(start)) ||
      hasSuffix(tails, text) !== filed.some((end) => text.endsWith(end)),
  );
}

function wrongBlocks(random: SeededRandom, family: 4 | 6): readonly string[] {
  const count = random.whole(0, 12);
  const blocks = Array.from({ length: count }, () => randomBlock(random, family));
  const tree = createBlockTree<true>();
  for (const block of blocks) addBlock(tree, block, true);
  const asked = [...blocks.map(({ bytes }) => bytes), ...addressesNear(random, family)];
  return asked
    .filter((address) => {
      return hasBlock(tree, address) !== blocks.some((block) => isInCidr(block, address));
    })
    .map((address) => address.join("."));
}

/** Host bits are zero, as parsers leave them. */
function randomBlock(random: SeededRandom, family: 4 | 6): Cidr {
  const [address = []] = addressesNear(random, family);
  const prefixLength = random.chance(0.1) ? 0 : random.whole(0, address.length * 8);
  const bytes = address.map((byte, i) => {
    const host = Math.max(0, Math.min(8, (i + 1) * 8 - prefixLength));
    return byte & (0xff << host);
  });
  return { family, bytes, prefixLength };
}

function addressesNear(random: SeededRandom, family: 4 | 6): readonly (readonly number[])[] {
  const length = family === 4 ? 4 : 16;
  return Array.from({ length: 20 }, () =>
    Array.from({ length }, () => FIRST_BYTES[random.whole(0, FIRST_BYTES.length - 1)] ?? 0),
  );
}

/** More values than are scanned, of every form. */
function wrongLongList(random: SeededRandom): readonly string[] {
  const texts = TEXTS.filter((text) => text.length > 1);
  const kinds = ["exact", "prefix", "suffix"] as const;
  const list: StringMatch[] = Array.from({ length: 14 }, () => ({
    kind: kinds[random.whole(0, 2)] ?? "exact",
    value: texts[random.whole(0, texts.length - 1)] ?? "",
  }));
  return TEXTS.filter((text) => matchesAny(list, text) !== list.some((match) => fits(match, text)));
}

function fits(match: StringMatch, text: string): boolean {
  if (match.kind === "exact") return text === match.value;
  if (match.kind === "prefix") return text.startsWith(match.value);
  return match.kind === "suffix" && text.endsWith(match.value);
}
