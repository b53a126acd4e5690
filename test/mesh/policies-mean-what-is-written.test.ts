/**
 * Both evaluators, asked the same: the product's, by its index and by its trace, and the oracle that
 * reads the objects as written. 10^6 pairs of policies and attempt, 10^8 at full size.
 */
import { expect, test } from "@jest/globals";
import { ATTEMPTS_PER_SET, compareSet } from "../authz-oracle/compare-set.ts";
import { sized } from "../soak.ts";

const PAIRS = sized(1e6, 1e8);
const SEED = Number(process.env["WEFT_SEED"] ?? 20_260_601);

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
