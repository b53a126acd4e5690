/** One random set of policies and its attempts, put to the oracle and to the product, by its index and by its trace. Not a test itself. */
import type { Attempt } from "../../nodeproxy/authz/attempt.ts";
import { decide } from "../../nodeproxy/authz/decide.ts";
import type { Decider } from "../../nodeproxy/authz/decider.ts";
import { explain } from "../../nodeproxy/authz/explain.ts";
import { SeededRandom } from "../fakes/seeded-random.ts";
import { attemptOf, deciderFor, wordsOf } from "./ask-product.ts";
import { oracleObserved, oracleVerdict, type Question } from "./oracle.ts";
import { randomAttempt } from "./random-attempts.ts";
import { randomPolicies } from "./random-policies.ts";

export const ATTEMPTS_PER_SET = 50;
/** The trace is slow and the same for all: each set is traced for a few. */
const TRACED_PER_SET = 4;
/** For so many is asked which facts of the request decide. */
const VARIED_PER_SET = 10;
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

export interface Difference {
  readonly seed: number;
  readonly question: Question;
  readonly oracle: unknown;
  readonly product: unknown;
}

/**
 * One set of policies and its attempts. Counted is what each verdict was, attempts with a request and with claims,
 * and, of the first, how often the verdict would be another without these, or without another fact of the request.
 */
export function compareSet(seed: number, counts: Map<string, number>): Difference | undefined {
  const random = new SeededRandom(seed);
  const set = { policies: randomPolicies(random), workload: WORKLOAD, mesh: MESH };
  const decider = deciderFor(set);
  for (let i = 0; i < ATTEMPTS_PER_SET; i += 1) {
    const question = { ...set, attempt: randomAttempt(random) };
    const attempt = attemptOf(question.attempt);
    const oracle = oracleVerdict(question);
    const { verdict, observed, dryRun } = decide(decider, attempt);
    const kind = verdict.kind === "permit" ? "permit" : (verdict.ask ?? verdict.reason);
    count(counts, kind);
    for (const name of factsOf(attempt)) count(counts, name);
    if (i < VARIED_PER_SET) {
      for (const name of factsThatDecide(decider, attempt)) count(counts, `decided by ${name}`);
    }
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

function count(counts: Map<string, number>, name: string): void {
  counts.set(name, (counts.get(name) ?? 0) + 1);
}

function factsOf({ http }: Attempt): readonly string[] {
  if (!http) return [];
  return http.claims ? ["http", "claims"] : ["http"];
}

/** Without which the product would say something else. */
function factsThatDecide(decider: Decider, attempt: Attempt): readonly string[] {
  const { http, ...opaque } = attempt;
  if (!http) return [];
  const { claims, ...request } = http;
  const said = wordsOf(decide(decider, attempt).verdict);
  const without = {
    http: opaque,
    claims: claims ? { ...opaque, http: request } : attempt,
    headers: { ...opaque, http: { ...http, headers: new Map() } },
    path: { ...opaque, http: { ...http, path: "" } },
    method: { ...opaque, http: { ...http, method: "" } },
    host: { ...opaque, http: { ...http, host: "" } },
  };
  return Object.entries(without).flatMap(([name, other]) =>
    wordsOf(decide(decider, other).verdict) === said ? [] : [name],
  );
}
