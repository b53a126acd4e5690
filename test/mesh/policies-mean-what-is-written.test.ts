/**
 * Both evaluators, asked the same: the product's, by its index and by its trace, and the oracle that
 * reads the objects as written. 10^6 pairs of policies and attempt, 10^8 at full size.
 */
import { expect, test } from "@jest/globals";
import { ATTEMPTS_PER_SET, compareSet } from "../authz-oracle/compare-set.ts";
import { sized } from "../soak.ts";

const PAIRS = sized(1e6, 1e8);
const SEED = Number(process.env["WEFT_SEED"] ?? 20_260_601);

/**
 * Of all pairs, at least: a comparison of nothing but permits would prove little, nor would one of requests that
 * no policy asks about. `decided by`: without that fact the verdict would be another.
 */
const LEAST: Readonly<Record<string, number>> = {
  permit: 1 / 500,
  not_allowed: 1 / 500,
  denied_by_policy: 1 / 500,
  denied_by_provider: 1 / 500,
  opa: 1 / 500,
  idp: 1 / 500,
  policy_invalid: 1 / 500,
  http: 1 / 4,
  claims: 1 / 8,
  "decided by http": 1 / 500,
  "decided by method": 1 / 5_000,
  "decided by path": 1 / 5_000,
  "decided by host": 1 / 5_000,
  "decided by claims": 1 / 20_000,
  "decided by headers": 1 / 50_000,
};

test(
  `${PAIRS} random policies and attempts: two evaluators, by index, by trace and from the text, never differ`,
  () => {
    const counts = new Map<string, number>();
    for (let i = 0; i < PAIRS / ATTEMPTS_PER_SET; i += 1) {
      const difference = compareSet(SEED + i, counts);
      if (difference) throw new Error(`they differ: ${JSON.stringify(difference)}`);
    }
    const scarce = Object.entries(LEAST).filter(
      ([kind, share]) => (counts.get(kind) ?? 0) <= PAIRS * share,
    );
    expect({ scarce, counts }).toEqual({ scarce: [], counts });
  },
  // A million takes some 100 s of one core.
  (PAIRS / 1e6) * 3_000_000,
);
