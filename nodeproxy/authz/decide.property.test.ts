/**
 * Holds the index, the trace and an oracle equal. The oracle is written from the text of the policy
 * language alone, shares no code with the matchers, and knows no index: sets of words and bit strings.
 */
import { expect, test } from "@jest/globals";
import fc from "fast-check";
import type {
  CompiledPolicy,
  Condition,
  Rule,
  ServiceAccountRef,
  Source,
  StringMatch,
} from "../../core/model/authorization-policy.ts";
import type { Cidr } from "../../core/model/ip.ts";
import type { Attempt } from "./attempt.ts";
import { decide } from "./decide.ts";
import { createDecider, listPolicies } from "./decider.ts";
import { explain } from "./explain.ts";

const DOMAINS = ["td", "old"];
const SETTINGS = { trustDomain: "td", trustDomainAliases: ["old"] };

// A small world, so that matches and near misses happen.
const namespace = fc.constantFrom("a", "ab", "b", "ba");
const accountName = fc.constantFrom("x", "xy", "y");
const domain = fc.constantFrom("td", "old", "evil");
const port = fc.constantFrom(80, 81, 443);
const octet = fc.constantFrom(0, 1, 128, 255);
const ip = fc.oneof(
  fc.tuple(fc.constant(10), octet, octet, octet),
  fc.tuple(octet, octet).map(([b, c]) => [253, 0, ...Array<number>(12).fill(0), b, c]),
);

const attempts: fc.Arbitrary<Attempt> = fc
  .record({
    peer: fc.option(fc.record({ trustDomain: domain, namespace, serviceAccount: accountName }), {
      nil: undefined,
    }),
    sourceIp: ip,
    destinationIp: ip,
    destinationPort: port,
  })
  .map(({ peer, ...rest }) => (peer ? { ...rest, peer } : rest));

function matchOf(word: fc.Arbitrary<string>): fc.Arbitrary<StringMatch> {
  return fc.oneof(
    word.map((value) => ({ kind: "exact" as const, value })),
    word.map((value) => ({ kind: "prefix" as const, value: value.slice(0, -1) || value })),
    word.map((value) => ({ kind: "suffix" as const, value: value.slice(1) || value })),
    fc.constant({ kind: "present" as const }),
  );
}

const principal = fc
  .tuple(domain, namespace, accountName)
  .map(([td, ns, sa]) => `${td}/ns/${ns}/sa/${sa}`);
const ref: fc.Arbitrary<ServiceAccountRef> = fc.record({ namespace, name: accountName });
const cidr: fc.Arbitrary<Cidr> = fc
  .tuple(ip, fc.constantFrom(0, 1, 8, 9, 16, 24, 31, 32, 120, 127, 128))
  .map(([address, length]) => {
    const prefixLength = Math.min(length, address.length * 8);
    const kept = bits(address)
      .slice(0, prefixLength)
      .padEnd(address.length * 8, "0");
    const bytes = address.map((_, i) => Number.parseInt(kept.slice(i * 8, i * 8 + 8), 2));
    return { family: address.length === 4 ? 4 : 6, bytes, prefixLength };
  });

/** Mostly empty, sometimes short, now and then long enough to be hashed. */
function listOf<T>(item: fc.Arbitrary<T>): fc.Arbitrary<readonly T[]> {
  return fc.oneof(
    { weight: 6, arbitrary: fc.constant([]) },
    { weight: 3, arbitrary: fc.array(item, { minLength: 1, maxLength: 2 }) },
    { weight: 1, arbitrary: fc.array(item, { minLength: 13, maxLength: 16 }) },
  );
}

const sources: fc.Arbitrary<Source> = fc.record({
  principals: listOf(matchOf(principal)),
  notPrincipals: listOf(matchOf(principal)),
  namespaces: listOf(matchOf(namespace)),
  notNamespaces: listOf(matchOf(namespace)),
  serviceAccounts: listOf(ref),
  notServiceAccounts: listOf(ref),
  trustDomains: listOf(matchOf(domain)),
  notTrustDomains: listOf(matchOf(domain)),
  ipBlocks: listOf(cidr),
  notIpBlocks: listOf(cidr),
});

function condition<T>(keys: readonly string[], item: fc.Arbitrary<T>) {
  return fc.record({
    key: fc.constantFrom(...keys),
    values: listOf(item),
    notValues: listOf(item),
  });
}

const conditions = fc.oneof(
  condition(["source.principal"], matchOf(principal)),
  condition(["source.namespace"], matchOf(namespace)),
  condition(["source.trustDomain"], matchOf(domain)),
  condition(["source.serviceAccount"], ref),
  condition(["source.ip", "destination.ip"], cidr),
  condition(["destination.port"], port),
) as fc.Arbitrary<Condition>;

const rules: fc.Arbitrary<Omit<Rule, "index">> = fc.record({
  from: fc.array(sources, { maxLength: 2 }),
  to: fc.array(fc.record({ ports: listOf(port), notPorts: listOf(port) }), { maxLength: 2 }),
  when: fc.array(conditions, { maxLength: 2 }),
});

const policies: fc.Arbitrary<readonly CompiledPolicy[]> = fc
  .array(
    fc.record({
      action: fc.constantFrom("ALLOW", "DENY", "AUDIT", "CUSTOM") as fc.Arbitrary<
        CompiledPolicy["action"]
      >,
      dryRun: fc.integer({ min: 0, max: 4 }).map((n) => n === 0),
      invalid: fc.integer({ min: 0, max: 19 }).map((n) => n === 0),
      rules: fc.array(rules, { maxLength: 5 }),
    }),
    { maxLength: 24 },
  )
  .map((list) =>
    list.map((policy, i) => ({
      ...policy,
      ref: `ns/p${String(i).padStart(2, "0")}`,
      rules: policy.rules.map((rule, index) => ({ ...rule, index })),
    })),
  );

function bits(bytes: readonly number[]): string {
  return bytes.map((byte) => byte.toString(2).padStart(8, "0")).join("");
}

function inBlock(address: readonly number[], block: Cidr): boolean {
  const sameFamily = (address.length === 4) === (block.family === 4);
  const wanted = bits(block.bytes).slice(0, block.prefixLength);
  return sameFamily && bits(address).startsWith(wanted);
}

function satisfies(match: StringMatch, value: string): boolean {
  if (match.kind === "present") return value.length > 0;
  const at = value.lastIndexOf(match.value);
  if (match.kind === "exact") return value.length === match.value.length && at === 0;
  if (match.kind === "prefix") return value.slice(0, match.value.length) === match.value;
  return at >= 0 && at + match.value.length === value.length;
}

/** All names by which the caller may be called. */
function names({ peer }: Attempt) {
  if (!peer) return { domains: [], principals: [], namespaces: [], accounts: [] };
  const domains = DOMAINS.includes(peer.trustDomain) ? DOMAINS : [peer.trustDomain];
  const { namespace: ns, serviceAccount: sa } = peer;
  const principals = domains.map((td) => [td, "ns", ns, "sa", sa].join("/"));
  return { domains, principals, namespaces: [ns], accounts: [`${ns}/${sa}`] };
}

type Holds = (list: readonly never[]) => boolean;

function testsFor(attempt: Attempt): Record<string, Holds> {
  const n = names(attempt);
  function text(values: readonly string[]) {
    return (list: readonly StringMatch[]) =>
      list.some((match) => values.some((value) => satisfies(match, value)));
  }
  function block(address: readonly number[]) {
    return (list: readonly Cidr[]) => list.some((item) => inBlock(address, item));
  }
  function account(list: readonly ServiceAccountRef[]) {
    return list.some((item) => n.accounts.includes(`${item.namespace}/${item.name}`));
  }
  function ports(list: readonly number[]) {
    return list.some((item) => item === attempt.destinationPort);
  }
  return {
    principal: text(n.principals),
    namespace: text(n.namespaces),
    trustDomain: text(n.domains),
    serviceAccount: account,
    ip: block(attempt.sourceIp),
    destinationIp: block(attempt.destinationIp),
    port: ports,
  } as Record<string, Holds>;
}

function both(
  values: readonly unknown[],
  notValues: readonly unknown[],
  holds: Holds | undefined,
): boolean {
  if (!holds) throw new Error("unknown attribute");
  const yes = values.length === 0 || holds(values as readonly never[]);
  return yes && !(notValues.length > 0 && holds(notValues as readonly never[]));
}

function oracleRule(rule: Rule, attempt: Attempt): boolean {
  const t = testsFor(attempt);
  const from =
    rule.from.length === 0 ||
    rule.from.some(
      (s) =>
        both(s.principals, s.notPrincipals, t["principal"]) &&
        both(s.namespaces, s.notNamespaces, t["namespace"]) &&
        both(s.trustDomains, s.notTrustDomains, t["trustDomain"]) &&
        both(s.serviceAccounts, s.notServiceAccounts, t["serviceAccount"]) &&
        both(s.ipBlocks, s.notIpBlocks, t["ip"]),
    );
  const to = rule.to.length === 0 || rule.to.some((o) => both(o.ports, o.notPorts, t["port"]));
  const when = rule.when.every(({ key, values, notValues }) => {
    const attribute = key === "destination.ip" ? "destinationIp" : (key.split(".")[1] ?? "");
    return both(values, notValues, t[attribute]);
  });
  return from && to && when;
}

function oracle(all: readonly CompiledPolicy[], attempt: Attempt): string {
  function matching(action: string) {
    return all.filter((policy) => {
      if (policy.dryRun || policy.action !== action) return false;
      if (policy.invalid) return action === "DENY" || action === "CUSTOM";
      return policy.rules.some((rule) => oracleRule(rule, attempt));
    });
  }
  for (const action of ["CUSTOM", "DENY"]) {
    const first = matching(action)[0];
    if (first) return `deny by ${first.ref}`;
  }
  if (!all.some((policy) => policy.action === "ALLOW" && !policy.dryRun)) return "permit";
  const first = matching("ALLOW")[0];
  return first ? `permit by ${first.ref}` : "deny";
}

function said(verdict: ReturnType<typeof decide>["verdict"]): string {
  if (verdict.kind === "permit") return verdict.by ? `permit by ${verdict.by.policy}` : "permit";
  return verdict.policy === undefined ? "deny" : `deny by ${verdict.policy}`;
}

function deciderOf(all: readonly CompiledPolicy[]) {
  return createDecider(inputOf(all));
}

function inputOf(all: readonly CompiledPolicy[]) {
  const byRef = new Map(all.map((policy) => [policy.ref, policy]));
  const refs = [...byRef.keys()];
  return { refs, policyOf: (name: string) => byRef.get(name), settings: SETTINGS };
}

const RUNS = { numRuns: 400 };

test("decide() equals the oracle written from the text, and names the same policy [K126]", () => {
  fc.assert(
    fc.property(policies, fc.array(attempts, { minLength: 1, maxLength: 8 }), (all, asked) => {
      const decider = deciderOf(all);
      for (const attempt of asked) {
        expect(said(decide(decider, attempt).verdict)).toBe(oracle(all, attempt));
      }
    }),
    RUNS,
  );
});

test("decide() and explain() are equal: outcome, rule and observations", () => {
  fc.assert(
    fc.property(policies, attempts, (all, attempt) => {
      const decider = deciderOf(all);
      const { verdict, observed } = decide(decider, attempt);
      const { outcome, observed: traced } = explain(decider, attempt);
      expect({ ...outcome, permit: null }).toEqual({ ...verdict, permit: null });
      expect(traced).toEqual(observed);
    }),
    RUNS,
  );
});

test("explain(): says the same where it has room for no rule, or for some", () => {
  fc.assert(
    fc.property(policies, attempts, fc.nat(3), (all, attempt, room) => {
      const set = listPolicies(inputOf(all));
      const { policies: whole, ...rest } = explain(set, attempt);
      const { policies: short, ...same } = explain(set, attempt, room);
      expect(same).toEqual(rest);
      const expected = whole.map((trace, i) => {
        const untold = short[i]?.untold;
        return untold === undefined ? trace : { ...trace, rules: [], untold };
      });
      expect(short).toEqual(expected);
    }),
    { numRuns: 500 },
  );
});

test("decide(): the order in which policies are named changes nothing [A12]", () => {
  fc.assert(
    fc.property(policies, attempts, (all, attempt) => {
      const reversed = deciderOf(all.toReversed());
      expect(decide(reversed, attempt)).toEqual(decide(deciderOf(all), attempt));
    }),
    { numRuns: 200 },
  );
});

test("decide(): dry run means what would happen were its policies in force [A19, A20]", () => {
  fc.assert(
    fc.property(policies, attempts, (all, attempt) => {
      const { dryRun } = decide(deciderOf(all), attempt);
      const isAny = all.some((policy) => policy.dryRun && policy.action !== "AUDIT");
      const live = oracle(
        all.map((policy) => ({ ...policy, dryRun: false })),
        attempt,
      );
      expect(dryRun).toBe(isAny ? live.split(" ")[0] : undefined);
    }),
    RUNS,
  );
});
