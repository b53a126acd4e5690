/**
 * `npm run test:mutants [-- FILE…]`: how many small changes to the evaluator do its random tests notice?
 *
 * Each mutant is loaded beside the program it was made of, with whatever imports it, and asked what
 * the oracle is asked; a difference or an error is a kill. Prints the survivors and the score, and
 * exits with 0 from 90 percent on.
 */
import { readFileSync } from "node:fs";
import { registerHooks } from "node:module";
import { fileURLToPath } from "node:url";
import type * as compareSets from "../authz-oracle/compare-set.ts";
import type * as knownAnswers from "./known-answers.ts";
import { type Mutant, mutantsOf } from "./mutants.ts";

/** What reads the policy language; the index is left out, where a change may cost time alone. */
const FILES = [
  "decide",
  "clause",
  "match",
  "match-text",
  "match-list",
  "match-header",
  "read-rules",
  "subject",
  "token-facts",
];
/** Lines that choose between two ways to the same answer, a scan and a table: a change there costs time alone. */
const TIME_ALONE = /length > LONG_LIST/;
const LEAST_SCORE = 0.9;
/** Of so many attempts each. */
const SETS = 500;
const SEED = 7_001;
const COMPARE = new URL("../authz-oracle/compare-set.ts", import.meta.url).href;

const KNOWN = new URL("known-answers.ts", import.meta.url).href;

let mutated: { readonly url: string; readonly source: string } | undefined;

/** Modules of one mutant name it, so that they are loaded anew. */
registerHooks({
  resolve(specifier, context, next) {
    const found = next(specifier, context);
    const mark = /\?mutant=\d+$/.exec(context.parentURL ?? "")?.[0];
    return mark && isReloaded(found.url) ? { ...found, url: found.url + mark } : found;
  },
  load(url, context, next) {
    const [plain = ""] = url.split("?");
    if (mutated?.url !== plain || plain === url) return next(url, context);
    return { format: "module-typescript", source: mutated.source, shortCircuit: true };
  },
});

function isReloaded(url: string): boolean {
  return url.includes("/nodeproxy/authz/") || url.includes("/test/authz-oracle/ask-product.ts");
}

mutated = undefined;
if (await isKilled(0)) throw new Error("the evaluator as it is does not pass");
let count = 0;
let killed = 0;
const wanted = process.argv.slice(2);
for (const name of FILES.filter((file) => wanted.length === 0 || wanted.includes(file))) {
  const url = new URL(`../../nodeproxy/authz/${name}.ts`, import.meta.url).href;
  const source = readFileSync(fileURLToPath(url), "utf8");
  const lines = source.split("\n");
  for (const mutant of mutantsOf(source)) {
    if (TIME_ALONE.test(lines[mutant.line - 1] ?? "")) continue;
    count += 1;
    mutated = { url, source: mutant.source };
    if (await isKilled(count)) killed += 1;
    else tell(name, mutant);
  }
}
const score = killed / count;
console.log(`${killed} of ${count} mutants killed: ${(score * 100).toFixed(1)} %`);
process.exit(score >= LEAST_SCORE ? 0 : 1);

async function isKilled(number: number): Promise<boolean> {
  try {
    const { compareSet } = (await import(`${COMPARE}?mutant=${number}`)) as typeof compareSets;
    const { knowsAnswers } = (await import(`${KNOWN}?mutant=${number}`)) as typeof knownAnswers;
    if (!knowsAnswers()) return true;
    const counts = new Map<string, number>();
    for (let i = 0; i < SETS; i += 1) if (compareSet(SEED + i, counts)) return true;
    return false;
  } catch {
    return true;
  }
}

function tell(name: string, { line, was, is }: Mutant): void {
  console.log(`survived: nodeproxy/authz/${name}.ts:${line}: ${was} → ${is}`);
}
