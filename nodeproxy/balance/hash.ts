/** A well-mixed 32-bit hash of a text, the same in every process and on every node. It protects nothing. */

/** FNV-1a over UTF-16 units, finished with murmur3's mixing: FNV alone leaves the high bits of short texts alike. */
export function hash32(text: string, seed = 0): number {
  let hash = 0x811c9dc5 ^ seed;
  for (let i = 0; i < text.length; i += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  }
  return mix32(hash);
}

/** murmur3's finalizer: each bit of the input reaches each of the output. */
export function mix32(value: number): number {
  let hash = value;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
