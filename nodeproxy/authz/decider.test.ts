/** A decider that came about by many changes decides as one that is made at once, and the ones before it stay as they were. */
import { expect, test } from "@jest/globals";
import type { CompiledPolicy } from "../../core/model/authorization-policy.ts";
import { compileAuthorization } from "../../operator/compile/authorization.ts";
import { parseAuthorizationPolicy } from "../../operator/resources/authorization-policy.ts";
import { attemptOf } from "../../test/authz-oracle/ask-product.ts";
import { randomAttempt } from "../../test/authz-oracle/random-attempts.ts";
import { pick, randomPolicies } from "../../test/authz-oracle/random-policies.ts";
import { SeededRandom } from "../../test/fakes/seeded-random.ts";
import { decide } from "./decide.ts";
import { createDecider, type Decider } from "./decider.ts";

const SETTINGS = { trustDomain: "cluster.local", trustDomainAliases: ["old.example"] };
const PROVIDERS = ["opa"];
const ROOT = "weft-system";

/** Of whatever action and content, under names of which some come again. */
function anyPolicies(random: SeededRandom): readonly CompiledPolicy[] {
  return randomPolicies(random).flatMap(({ namespace, dryRun, spec }) => {
    const annotations = dryRun ? { "weft.dev/dry-run": "true" } : {};
    const metadata = { namespace, name: `p${random.whole(0, 150)}`, annotations };
    const object = { apiVersion: "weft.dev/v1", kind: "AuthorizationPolicy", metadata, spec };
    const compiled = compileAuthorization(
      parseAuthorizationPolicy(object, { rootNamespace: ROOT }),
    );
    return compiled ? [compiled.policy] : [];
  });
}

class Held {
  readonly policies = new Map<string, CompiledPolicy>();
  refs: readonly string[] = [];

  input(changed?: ReadonlySet<string>) {
    const policyOf = (ref: string) => this.policies.get(ref);
    const input = { refs: this.refs, policyOf, settings: SETTINGS, providers: PROVIDERS };
    return changed ? { ...input, changed } : input;
  }

  /** Some put or taken; as an enrolment tells it, the list of names is another only where it differs. */
  change(random: SeededRandom): ReadonlySet<string> {
    const changed = new Set<string>();
    const names = [...this.policies.keys()];
    if (names.length > 0 && random.chance(0.2)) {
      const gone = pick(random, names);
      this.policies.delete(gone);
      changed.add(gone);
    }
    for (const policy of anyPolicies(random)) {
      const isReplaced = names.length > 60 && random.chance(0.6);
      const ref = isReplaced ? pick(random, names) : policy.ref;
      this.policies.set(ref, { ...policy, ref });
      changed.add(ref);
    }
    const refs = [...this.policies.keys()].toSorted();
    if (refs.join() !== this.refs.join()) this.refs = refs;
    return changed;
  }
}

function answers(decider: Decider, random: SeededRandom): readonly unknown[] {
  return Array.from({ length: 6 }, () => decide(decider, attemptOf(randomAttempt(random))));
}

test("createDecider(): by many changes or at once, the decisions are the same", () => {
  const random = new SeededRandom(20_260_701);
  const held = new Held();
  let decider = createDecider(held.input());
  let least = 0;
  let most = 0;
  for (let i = 0; i < 100; i += 1) {
    const changed = held.change(random);
    const previous = decider;
    const asked = random.whole(1, 1_000_000);
    const before = answers(previous, new SeededRandom(asked));
    decider = createDecider(held.input(random.chance(0.8) ? changed : undefined), previous);
    const fresh = createDecider(held.input());
    expect(answers(decider, new SeededRandom(asked))).toEqual(
      answers(fresh, new SeededRandom(asked)),
    );
    expect([decider.hasAllow, decider.dryRun, decider.policies]).toEqual([
      fresh.hasAllow,
      fresh.dryRun,
      fresh.policies,
    ]);
    // Whoever holds the previous one is not disturbed.
    expect(answers(previous, new SeededRandom(asked))).toEqual(before);
    most = Math.max(most, decider.index.layers.length);
    least += decider.index.layers.length === 1 ? 1 : 0;
  }
  // Both a set in one piece and one in several were asked, and there are never many.
  expect(least).toBeGreaterThan(10);
  expect(most).toBeGreaterThan(1);
  expect(most).toBeLessThan(6);
});

test("createDecider(): what did not change is handed back, and a change makes nothing else again", () => {
  const policies = new Map(
    Array.from({ length: 2_000 }, (_, i) => {
      const ref = `ns/p${String(i).padStart(4, "0")}`;
      const to = [{ ports: [i + 1], notPorts: [] }];
      const rules = [{ index: 0, from: [], to, when: [] }];
      const policy = { ref, action: "ALLOW" as const, dryRun: false, invalid: false, rules };
      return [ref, policy] satisfies [string, CompiledPolicy];
    }),
  );
  const refs = [...policies.keys()];
  const input = { refs, policyOf: (ref: string) => policies.get(ref), settings: SETTINGS };
  const first = createDecider(input);
  expect(createDecider(input, first)).toBe(first);
  expect(createDecider({ ...input, refs: [...refs] }, first)).toBe(first);
  expect(createDecider({ ...input, changed: new Set(["ns/p0007", "other/p"]) }, first)).toBe(first);
  const [old] = policies.values();
  if (!old) throw new Error("no policies");
  policies.set(old.ref, { ...old, rules: [] });
  const second = createDecider({ ...input, changed: new Set([old.ref]) }, first);
  expect(second.index.layers[0]).toBe(first.index.layers[0]);
  expect(second.index.layers[1]?.policies).toEqual([{ ...old, rules: [] }]);
  // As it was: its clauses are there still.
  policies.set(old.ref, old);
  const third = createDecider({ ...input, changed: new Set([old.ref]) }, second);
  const attempt = { sourceIp: [10, 0, 0, 1], destinationIp: [10, 0, 0, 2], destinationPort: 1 };
  const said = [first, second, third].map((decider) => decide(decider, attempt).verdict.kind);
  expect(said).toEqual(["permit", "deny", "permit"]);
});

test("createDecider(): a policy that is taken away and named still denies, by the quick way too [G5]", () => {
  const policies = new Map([
    ["ns/a", { ref: "ns/a", action: "ALLOW" as const, dryRun: false, invalid: false, rules: [] }],
  ]);
  const input = {
    refs: ["ns/a"],
    policyOf: (ref: string) => policies.get(ref),
    settings: SETTINGS,
  };
  const first = createDecider(input);
  policies.clear();
  const second = createDecider({ ...input, changed: new Set(["ns/a"]) }, first);
  expect(second.missing).toEqual(["ns/a"]);
});
