/**
 * How large is a test that has two sizes: one for every change, and the full one of `npm run test:soak`?
 *
 * Whoever imports this, through whatever helper, is run by `npm run test:soak`.
 */
const isSoak: boolean = process.env["WEFT_SOAK"] === "1";

/** `full` where WEFT_SOAK=1: counts of runs, octets, connections, and the milliseconds that they may take. */
export function sized<T>(ci: T, full: T): T {
  return isSoak ? full : ci;
}
