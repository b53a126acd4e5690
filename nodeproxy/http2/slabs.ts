/** Buffers for what is about to be written, used again once it is: an idle connection holds none. */

/** Eight TLS records: as much as Node's TLS hands the kernel with one writev(2), nearly. */
export const SLAB_BYTES = 128 << 10;
/** Kept for the next; more connections than these seldom write in one turn of the loop. */
const MAX_FREE = 16;
const free: Buffer[] = [];

export function takeSlab(): Buffer {
  return free.pop() ?? Buffer.allocUnsafeSlow(SLAB_BYTES);
}

export function giveSlab(slab: Buffer): void {
  if (free.length < MAX_FREE) free.push(slab);
}
