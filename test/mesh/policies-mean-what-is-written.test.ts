/**
 * Both evaluators, asked the same: the product's, by its index and by its trace, and the oracle that
 * reads the objects as written. 10^6 pairs of policies and attempt, 10^8 at full size.
 */
import { expect, test } from "@jest/globals";
import { decide } from "../../nodeproxy/authz/decide.ts";
import { explain } from "../../nodeproxy/authz/explain.ts";
import { attemptOf, deciderFor, wordsOf } from "../authz-oracle/ask-product.ts";
import { oracleObserved, oracleVerdict, type Question } from "../authz-oracle/oracle.ts";
import { randomAttempt } from "../authz-oracle/random-attempts.ts";
import { randomPolicies } from "../authz-oracle/random-policies.ts";
import { SeededRandom } from "../fakes/seeded-random.ts";
import { sized } from "../soak.ts";

const PAIRS = sized(1e6, 1e8);
const ATTEMPTS_PER_SET = 50;
/** The trace is slow and the same for all: each set is traced for a few. */
const TRACED_PER_SET = 4;
const SEED = Number(process.env["WEFT_SEED"] ?? 20_260_601);

const MESH = {
  rootNamespace: "weft-system",
  domains: ["cluster.local", "old.example"],
  providers: ["opa", "idp"],
};
const WORKLOAD = {
  namespace: "shop",
  labels: { app: "api", tier: "back" },
  services: ["api"],
};

interface Difference {
  readonly seed: number;
  readonly question: Question;
  readonly oracle: unknown;
  readonly product: unknown;
}

/** One set of policies and its attempts; what each verdict was is counted. */
function compareSet(seed: number, counts: Map<string, number>): Difference | undefined {
  const random = new SeededRandom(seed);
  const set = { policies: randomPolicies(random), workload: WORKLOAD, mesh: MESH };
  const decider = deciderFor(set);
  for (let i = 0; i < ATTEMPTS_PER_SET; i += 1) {
    const question = { ...set, attempt: randomAttempt(random) };
    const attempt = attemptOf(question.attempt);
    const oracle = oracleVerdict(question);
    const { verdict, observed, dryRun } = decide(decider, attempt);
    const kind = verdict.kind === "permit" ? "permit" : (verdict.ask ?? verdict.reason);
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
    if (wordsOf(verdict) !== oracle) {
      return { seed, question, oracle, product: wordsOf(verdict) };
    }
    const names = observed.map(({ policy }) => policy).join();
    if (names !== oracleObserved(question).join()) {
      return { seed, question, oracle: oracleObserved(question), product: names };
    }
    if (i < TRACED_PER_SET) {
      const traced = explain(decider, attempt);
      const told = JSON.stringify([wordsOf(traced.outcome), traced.observed, traced.dryRun]);
      const decided = JSON.stringify([wordsOf(verdict), observed, dryRun]);
      if (told !== decided) return { seed, question, oracle: decided, product: told };
    }
  }
  return undefined;
}

test(
  `${PAIRS} random policies and attempts: two evaluators, by index, by trace and from the text, never differ`,
  () => {
    const counts = new Map<string, number>();
    for (let i = 0; i < PAIRS / ATTEMPTS_PER_SET; i += 1) {
      const difference = compareSet(SEED + i, counts);
      if (difference) throw new Error(`they differ: ${JSON.stringify(difference)}`);
    }
    // A comparison of nothing but permits would prove little.
    const least = PAIRS / 500;
    const kinds = ["permit", "not_allowed", "denied_by_policy", "denied_by_provider", "opa", "idp"];
    for (const kind of [...kinds, "policy_invalid"]) {
      expect([kind, (counts.get(kind) ?? 0) > least]).toEqual([kind, true]);
    }
  },
  (PAIRS / 1e6) * 600_000,
);
