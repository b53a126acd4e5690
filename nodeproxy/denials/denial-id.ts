/**
 * The id of a denial: `TAG-RANDOM`. The tag finds the node, the rest is chosen by chance, so that nobody
 * who sees one id can name another.
 *
 * The form is stable: 6 hex digits of the SHA-256 of the node's name, a dash, 12 of Crockford's base32
 * (60 bits).
 */
import { createHash, randomFillSync } from "node:crypto";

const ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz";
const TAG_LENGTH = 6;
const RANDOM_LENGTH = 12;
const FORM = /^[0-9a-f]{6}-[0-9a-hjkmnp-tv-z]{12}$/;
/** Chance comes in pools: one call for each id would cost more than all the rest of it. */
const POOL_BYTES = RANDOM_LENGTH * 256;

export function createDenialIds(node: string): () => string {
  const tag = nodeTag(node);
  const pool = new Uint8Array(POOL_BYTES);
  let used = POOL_BYTES;
  return () => {
    if (used === POOL_BYTES) {
      randomFillSync(pool);
      used = 0;
    }
    let random = "";
    for (const end = used + RANDOM_LENGTH; used < end; used += 1) {
      random += ALPHABET[(pool[used] ?? 0) & 31] ?? "";
    }
    return `${tag}-${random}`;
  };
}

export function isDenialId(text: string): boolean {
  return FORM.test(text);
}

/** Of the node that the id is from. Two nodes may share a tag: then both are asked. */
export function tagOf(id: string): string {
  return id.slice(0, TAG_LENGTH);
}

export function nodeTag(node: string): string {
  return createHash("sha256").update(node).digest("hex").slice(0, TAG_LENGTH);
}
