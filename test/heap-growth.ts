/** How many bytes of heap does one call take? Measured without the collector's help: it would hide them. */

const CALLS = 4_000;
/** Enough for the compiler to have its say, on a busy machine too. */
const WINDOWS = 500;

/**
 * The least of many windows: what allocates does so in every one, while the compiler, and code that it
 * has not come to yet, allocate in some. A window in which the collector ran shrinks, and says nothing.
 */
export function bytesPerCall(call: (i: number) => void): number {
  let least = Number.POSITIVE_INFINITY;
  for (let window = 0; window < WINDOWS && least > 0; window += 1) {
    const before = process.memoryUsage().heapUsed;
    for (let i = 0; i < CALLS; i += 1) call(i);
    const grown = process.memoryUsage().heapUsed - before;
    if (grown >= 0) least = Math.min(least, Math.floor(grown / CALLS));
  }
  return least;
}
