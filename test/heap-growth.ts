/** How many bytes of heap does one call take? Measured without the collector's help: it would hide them. */

const CALLS = 4_000;
/** Enough for the compiler to have its say, on a busy machine too. */
const WINDOWS = 500;

/**
 * The lowest tenth of many windows: what allocates does so in every one, while the compiler, and code that it has
 * not come to yet, allocate in some. A window in which the collector ran shrinks and says nothing, or too little.
 */
export function bytesPerCall(call: (i: number) => void): number {
  const seen: number[] = [];
  for (let window = 0; window < WINDOWS; window += 1) {
    const before = process.memoryUsage().heapUsed;
    for (let i = 0; i < CALLS; i += 1) call(i);
    const grown = process.memoryUsage().heapUsed - before;
    if (grown >= 0) seen.push(Math.floor(grown / CALLS));
    if (seen.filter((bytes) => bytes === 0).length > WINDOWS / 10) return 0;
  }
  return seen.toSorted((a, b) => a - b)[Math.floor(seen.length / 10)] ?? 0;
}
