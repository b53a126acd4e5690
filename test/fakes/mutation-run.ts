/**
 * Judges very many changed values one after another, and notices the one that hangs.
 *
 * Seeded by the day; `WEFT_MUTATIONS_SEED` repeats a run, `WEFT_MUTATIONS` is how many there are.
 */
import { sized } from "../soak.ts";
import { createRandom, type Random } from "./der-mutation.ts";

/** Of all test files together. */
const MUTATIONS = Number(process.env["WEFT_MUTATIONS"] ?? sized(1_000_000, 10_000_000));
const DAY = Math.floor(Date.now() / 86_400_000);
const SEED = Number(process.env["WEFT_MUTATIONS_SEED"] ?? DAY);
/** Of one value, on a machine that is busy otherwise. Parsing takes microseconds. */
const HANG_MS = 2_000;

/** How often each verdict came in this part of all mutations. */
export function judgeMany(
  share: number,
  judge: (random: Random) => string,
): Readonly<Record<string, number>> {
  const random = createRandom(SEED);
  const counts: Record<string, number> = {};
  for (let i = 0; i < MUTATIONS * share; i += 1) {
    const before = performance.now();
    const verdict = judge(random);
    const tookMs = performance.now() - before;
    if (tookMs > HANG_MS) throw new Error(`seed ${SEED}: number ${i} took ${tookMs} ms`);
    counts[verdict] = (counts[verdict] ?? 0) + 1;
  }
  return counts;
}

/** With what repeats it. */
export function fail(what: string, der: Uint8Array): never {
  throw new Error(`seed ${SEED}: ${what}: ${Buffer.from(der).toString("hex")}`);
}
