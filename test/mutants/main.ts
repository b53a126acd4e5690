/**
 * `npm run test:mutants [-- --quick] [FILE…]`: how many small changes to the evaluator do its tests notice?
 *
 * Each mutant is loaded beside the program it was made of, with whatever imports it, and asked what the
 * oracle is asked and what is known; a difference, an error or a loop without an end is a kill. Prints
 * the survivors and two scores: of all mutants, and of those that are not known to say the same
 * (`equivalents.ts`). Exits with 0 from 90 percent of all on, if none that is known is killed after all.
 *
 * `--quick` takes half of the mutants, the same half each time, and does not run those that are known to say
 * the same: they count as survivors. No verdict depends on a clock.
 */
import { readFileSync } from "node:fs";
import { registerHooks, stripTypeScriptTypes } from "node:module";
import { fileURLToPath } from "node:url";
import type * as compareSets from "../authz-oracle/compare-set.ts";
import { SeededRandom } from "../fakes/seeded-random.ts";
import { countLoops, STEP } from "./count-loops.ts";
import { equivalentTo, unusedEquivalents } from "./equivalents.ts";
import type * as knownAnswers from "./known-answers.ts";
import { type Mutant, mutantsOf } from "./mutants.ts";

/** What reads the policy language. */
const FILES = [
  "decide",
  "decide-mode",
  "verdict",
  "clause",
  "match",
  "match-text",
  "match-list",
  "match-header",
  "read-rules",
  "subject",
  "token-facts",
  "text-tree",
  "block-tree",
];
const LEAST_SCORE = 0.9;
/** Of so many attempts each. */
const SETS = 500;
const SEED = 7_001;
/** A mutant's loops may run so many times as often as those of the program in its longest set. */
const PATIENCE = 50;
/** Of the mutants, in a quick run. */
const QUICK_SHARE = 0.5;
const COMPARE = new URL("../authz-oracle/compare-set.ts", import.meta.url).href;
const KNOWN = new URL("known-answers.ts", import.meta.url).href;

const program = new Map<string, string>();
let mutated: { readonly url: string; readonly source: string } | undefined;
let steps = 0;
let most = Number.POSITIVE_INFINITY;

Object.assign(globalThis, {
  [STEP]: () => {
    steps += 1;
    if (steps > most) throw new RangeError("a loop without an end");
  },
});

/** Modules of one mutant name it, so that they are loaded anew. */
registerHooks({
  resolve(specifier, context, next) {
    const found = next(specifier, context);
    const mark = /\?mutant=\d+$/.exec(context.parentURL ?? "")?.[0];
    return mark && isReloaded(found.url) ? { ...found, url: found.url + mark } : found;
  },
  load(url, context, next) {
    const [plain = ""] = url.split("?");
    if (plain === url) return next(url, context);
    const source = mutated?.url === plain ? scriptOf(mutated.source) : programOf(plain);
    return { format: "module", source, shortCircuit: true };
  },
});

function isReloaded(url: string): boolean {
  return (
    url.includes("/nodeproxy/authz/") ||
    url.includes("/test/authz-oracle/ask-product.ts") ||
    url.includes("/test/mutants/known-")
  );
}

function programOf(url: string): string {
  const known = program.get(url);
  if (known !== undefined) return known;
  const made = scriptOf(readFileSync(fileURLToPath(url), "utf8"));
  program.set(url, made);
  return made;
}

function scriptOf(source: string): string {
  return stripTypeScriptTypes(countLoops(source));
}

const isQuick = process.argv.includes("--quick");
const wanted = process.argv.slice(2).filter((word) => !word.startsWith("--"));
most = (await longestSet()) * PATIENCE;
let count = 0;
let killed = 0;
let equivalent = 0;
let mistaken = 0;
const choice = new SeededRandom(SEED);
for (const name of FILES.filter((file) => wanted.length === 0 || wanted.includes(file))) {
  const url = new URL(`../../nodeproxy/authz/${name}.ts`, import.meta.url).href;
  const source = readFileSync(fileURLToPath(url), "utf8");
  const lines = source.split("\n");
  for (const mutant of mutantsOf(source)) {
    const change = { file: name, line: lines[mutant.line - 1]?.trim() ?? "", ...changeOf(mutant) };
    const why = equivalentTo(change);
    if (!choice.chance(isQuick ? QUICK_SHARE : 1)) continue;
    count += 1;
    if (why !== undefined) equivalent += 1;
    if (why !== undefined && isQuick) continue;
    mutated = { url, source: mutant.source };
    const isNoticed = await isKilled(count);
    if (isNoticed) killed += 1;
    if (isNoticed === (why === undefined)) continue;
    if (isNoticed) mistaken += 1;
    const word = isNoticed ? "killed, and listed as saying the same" : "survived";
    console.log(`${word}: nodeproxy/authz/${name}.ts:${mutant.line}: ${mutant.was} → ${mutant.is}`);
  }
}
const unused = wanted.length === 0 ? unusedEquivalents() : [];
for (const { file, line, change } of unused)
  console.log(`no such mutant: ${file}: ${line}: ${change}`);
const rest = count - equivalent;
console.log(`${killed} of ${count} mutants killed: ${percent(killed / count)}`);
console.log(
  `${killed} of ${rest} that do not say the same as the program: ${percent(killed / rest)}`,
);
process.exit(killed / count >= LEAST_SCORE && mistaken === 0 ? 0 : 1);

function changeOf({ was, is }: Mutant): { readonly change: string } {
  return { change: `${was} → ${is}` };
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}

async function load(number: number) {
  const { compareSet } = (await import(`${COMPARE}?mutant=${number}`)) as typeof compareSets;
  const known = (await import(`${KNOWN}?mutant=${number}`)) as typeof knownAnswers;
  return { compareSet, ...known };
}

/** Of the program as it is, in runs of loops. */
async function longestSet(): Promise<number> {
  const { compareSet, wrongAnswers, wrongTrees } = await load(0);
  const wrong = [...wrongAnswers(takeSteps), ...wrongTrees()];
  if (wrong.length > 0) throw new Error(`the evaluator as it is says ${wrong.join("; ")}`);
  let longest = takeSteps();
  for (let i = 0; i < SETS; i += 1) {
    steps = 0;
    if (compareSet(SEED + i, new Map())) throw new Error("the evaluator as it is does not pass");
    longest = Math.max(longest, steps);
  }
  return longest;
}

function takeSteps(): number {
  const taken = steps;
  steps = 0;
  return taken;
}

async function isKilled(number: number): Promise<boolean> {
  steps = 0;
  try {
    const { compareSet, wrongAnswers, wrongTrees } = await load(number);
    if (wrongAnswers(takeSteps).length > 0) return true;
    const counts = new Map<string, number>();
    for (let i = 0; i < SETS; i += 1) {
      steps = 0;
      if (compareSet(SEED + i, counts)) return true;
    }
    steps = 0;
    return wrongTrees().length > 0;
  } catch {
    return true;
  }
}
