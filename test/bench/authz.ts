/**
 * How long does a decision take, with the index and by scanning, and what does a policy weigh?
 *
 * Policies of ten rules each, all on one workload, of mixed shapes; attempts that match an ALLOW,
 * a DENY and nothing. The scan asks the same matchers in order, as a naive evaluator would.
 */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { CompiledPolicy, Rule, Source } from "../../core/model/authorization-policy.ts";
import type { Attempt } from "../../nodeproxy/authz/attempt.ts";
import { decide } from "../../nodeproxy/authz/decide.ts";
import { createDecider, type Decider } from "../../nodeproxy/authz/decider.ts";
import { explain } from "../../nodeproxy/authz/explain.ts";
import { matchesFrom, matchesTo, matchesWhen } from "../../nodeproxy/authz/match.ts";
import { type Subject, subjectOf } from "../../nodeproxy/authz/subject.ts";
import { bytesPerCall } from "../heap-growth.ts";

export interface AuthzBench {
  /** Median CPU microseconds of one decision, by number of policies. */
  readonly decideUs: Readonly<Record<string, number>>;
  /** The same for HTTP requests, by policies of which half the rules ask for paths, hosts and tokens. */
  readonly requestUs: Readonly<Record<string, number>>;
  /** As ztunnel decides: every policy in turn. */
  readonly scanUs: Readonly<Record<string, number>>;
  /** From the policies to their index, when a set arrives. */
  readonly compileMs: Readonly<Record<string, number>>;
  /** CPU milliseconds until a workload's set that has one policy changed rules. */
  readonly changeMs: Readonly<Record<string, number>>;
  /** Heap of the policies and their index together. */
  readonly bytesPerPolicy: number;
  /** Of the index alone. */
  readonly indexBytesPerPolicy: number;
  /** Heap that one decision takes. */
  readonly bytesPerDecision: number;
  /** The whole trace of one decision. */
  readonly explainMs: Readonly<Record<string, number>>;
}

const DECIDE_SIZES = [1_000, 10_000, 100_000] as const;
const SCAN_SIZES: readonly number[] = [1_000, 10_000];
const WEIGHED = 10_000;
const RULES = 10;
const ROUNDS = 15;
const CHANGES = 100;
const SETTINGS = { trustDomain: "cluster.local", trustDomainAliases: ["old.example"] };
const NONE: readonly never[] = [];

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

type Figures = { -readonly [K in keyof AuthzBench]: Writable<AuthzBench[K]> };
type Writable<T> = { -readonly [K in keyof T]: T[K] };

export async function runAuthzBench(): Promise<AuthzBench> {
  const figures: Figures = {
    decideUs: {},
    requestUs: {},
    scanUs: {},
    compileMs: {},
    changeMs: {},
    bytesPerPolicy: 0,
    indexBytesPerPolicy: 0,
    bytesPerDecision: 0,
    explainMs: {},
  };
  for (const size of DECIDE_SIZES) {
    measureConnections(size, figures);
    await letGo();
    measureRequests(size, figures);
    await letGo();
  }
  return figures;
}

function measureConnections(size: number, figures: Figures): void {
  const empty = usedBytes();
  const policies = policiesOf(size, rule);
  const filled = usedBytes();
  const start = process.threadCpuUsage();
  const decider = deciderOf(policies);
  figures.compileMs[size] = Math.round(microseconds(start) / 1000);
  figures.changeMs[size] = meanChangeMs(policies, decider);
  const attempts = attemptsFor(size);
  if (size === WEIGHED) {
    const indexed = usedBytes();
    figures.bytesPerPolicy = Math.round((indexed - empty) / size);
    figures.indexBytesPerPolicy = Math.round((indexed - filled) / size);
    const permitted = attempts.filter((asked) => decide(decider, asked).verdict.kind === "permit");
    figures.bytesPerDecision = bytesPerCall((i) => void decide(decider, pick(permitted, i)));
  }
  figures.decideUs[size] = medianUs(20_000, (i) => decide(decider, pick(attempts, i)));
  if (!SCAN_SIZES.includes(size)) return;
  figures.scanUs[size] = medianUs(40, (i) => scan(decider, pick(attempts, i)));
  figures.explainMs[size] = Math.round(
    medianUs(1, (i) => explain(decider, pick(attempts, i))) / 1000,
  );
}

/** Each changes another policy of the set that the one before left. The mean of many: the clock of a thread is coarse. */
function meanChangeMs(policies: ReadonlyMap<string, CompiledPolicy>, first: Decider): number {
  const current = new Map(policies);
  const refs = [...policies.keys()].toSorted();
  function policyOf(ref: string): CompiledPolicy | undefined {
    return current.get(ref);
  }
  let decider = createDecider({ refs, policyOf, settings: SETTINGS }, first);
  const start = process.threadCpuUsage();
  for (let i = 0; i < CHANGES; i += 1) {
    const ref = pick(refs, i * 7_919);
    current.set(ref, { ...pick(first.policies, i), ref });
    const changed = new Set([ref]);
    decider = createDecider({ refs, policyOf, settings: SETTINGS, changed }, decider);
  }
  return Number((microseconds(start) / 1000 / CHANGES).toPrecision(3));
}

function measureRequests(size: number, figures: Figures): void {
  const decider = deciderOf(policiesOf(size, requestRule));
  const attempts = attemptsFor(size).map(withRequest);
  figures.requestUs[size] = medianUs(20_000, (i) => decide(decider, pick(attempts, i)));
}

/** A turn of the loop lets go of the set before the next one is built. */
async function letGo(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

type MakeRule = (n: number, index: number) => Rule;

function policiesOf(size: number, make: MakeRule): ReadonlyMap<string, CompiledPolicy> {
  return new Map(Array.from({ length: size }, (_, i) => [`bench/p${i}`, policy(i, make)]));
}

function deciderOf(policies: ReadonlyMap<string, CompiledPolicy>): Decider {
  const refs = [...policies.keys()];
  return createDecider({ refs, policyOf: (ref) => policies.get(ref), settings: SETTINGS });
}

function policy(i: number, make: MakeRule): CompiledPolicy {
  const rules = Array.from({ length: RULES }, (_, j) => make(i * RULES + j, j));
  const action = i % 4 === 0 ? "DENY" : "ALLOW";
  return { ref: `bench/p${i}`, action, dryRun: false, invalid: false, rules };
}

/** Every other rule as for connections, the others by what only a request shows. */
function requestRule(n: number, index: number): Rule {
  if (n % 2 === 0) return rule(n, index);
  const none = {
    hosts: NONE,
    notHosts: NONE,
    methods: NONE,
    notMethods: NONE,
    paths: NONE,
    notPaths: NONE,
  };
  const to = { ports: NONE, notPorts: NONE };
  const get = [{ kind: "exact" as const, value: "GET" }];
  switch (n % 4) {
    case 1: {
      const paths = [{ kind: "prefix" as const, value: `/team-${n}/` }];
      return {
        index,
        from: NONE,
        to: [{ ...to, layer7: { ...none, paths, methods: get } }],
        when: NONE,
      };
    }
    default: {
      const hosts = [{ kind: "exact" as const, value: `host-${n}.example` }];
      const paths = [{ kind: "template" as const, value: `/{*}/orders/{**}` }];
      const subject = { kind: "exact" as const, value: `user-${n}` };
      const values = [
        { issuer: { kind: "exact" as const, value: "https://idp.example" }, subject },
      ];
      const when = [{ key: "request.auth.principal" as const, values, notValues: NONE }];
      return { index, from: NONE, to: [{ ...to, layer7: { ...none, hosts, paths } }], when };
    }
  }
}

function withRequest(attempt: Attempt, i: number): Attempt {
  const n = i * 77 + 3;
  const http = {
    method: "GET",
    path: i % 2 === 0 ? `/team-${n - 2}/orders/7` : `/team-${n}/orders/7`,
    host: `host-${n}.example`,
    headers: new Map<string, readonly string[]>(),
    claims: { iss: "https://idp.example", sub: `user-${n}` },
  };
  return { ...attempt, remoteIp: attempt.sourceIp, http };
}

/** Shapes that people write: by account, principal, namespace prefix, address block, and by port in a common namespace. */
function rule(n: number, index: number): Rule {
  const to = n % 2 === 0 ? [{ ports: [1024 + (n % 5_000)], notPorts: NONE }] : NONE;
  return { index, from: [source(n)], to, when: NONE };
}

function source(n: number): Source {
  const none: Source = {
    principals: NONE,
    notPrincipals: NONE,
    namespaces: NONE,
    notNamespaces: NONE,
    serviceAccounts: NONE,
    notServiceAccounts: NONE,
    trustDomains: NONE,
    notTrustDomains: NONE,
    ipBlocks: NONE,
    notIpBlocks: NONE,
  };
  switch (n % 5) {
    case 0:
      return { ...none, serviceAccounts: [{ namespace: `ns-${n % 997}`, name: `sa-${n}` }] };
    case 1:
      return {
        ...none,
        principals: [{ kind: "exact", value: `cluster.local/ns/ns-${n % 997}/sa/sa-${n}` }],
      };
    case 2:
      return { ...none, namespaces: [{ kind: "prefix", value: `team-${n}-` }] };
    case 3:
      return {
        ...none,
        ipBlocks: [{ family: 4, bytes: [10, (n >> 8) & 255, n & 255, 0], prefixLength: 24 }],
        notNamespaces: [{ kind: "exact", value: "ns-1" }],
      };
    default:
      return { ...none, namespaces: [{ kind: "exact", value: `ns-${n % 997}` }] };
  }
}

function attemptsFor(size: number): readonly Attempt[] {
  return Array.from({ length: 512 }, (_, i) => {
    const n = Math.floor((i * size * RULES) / 512);
    const name = { namespace: `ns-${n % 997}`, serviceAccount: i % 3 === 0 ? "nobody" : `sa-${n}` };
    const attempt = {
      sourceIp: [10, (n >> 8) & 255, i & 255, 9],
      destinationIp: [10, 0, 0, 1],
      destinationPort: 1024 + (n % 5_000),
    };
    if (i % 16 === 15) return attempt;
    return { ...attempt, peer: { trustDomain: "cluster.local", ...name } };
  });
}

/** The naive evaluator: every DENY in turn, then every ALLOW. */
function scan(decider: Decider, attempt: Attempt): boolean {
  const subject = subjectOf(attempt, decider.meshDomains);
  function matches({ rules, action }: CompiledPolicy): boolean {
    return rules.some((rule) => matchesRule(rule, subject, action === "ALLOW"));
  }
  const { policies } = decider;
  if (policies.some((policy) => policy.action === "DENY" && matches(policy))) return false;
  return policies.some((policy) => policy.action === "ALLOW" && matches(policy));
}

function matchesRule({ from, to, when }: Rule, subject: Subject, isAllow: boolean): boolean {
  return (
    matchesTo(to, subject) && matchesFrom(from, subject) && matchesWhen(when, subject, isAllow)
  );
}

function medianUs(times: number, run: (i: number) => unknown): number {
  const rounds: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    // CPU of this thread: what else runs on the machine does not count.
    const start = process.threadCpuUsage();
    for (let i = 0; i < times; i += 1) run(i);
    rounds.push(microseconds(start) / times);
  }
  const median = rounds.toSorted((a, b) => a - b)[Math.floor(ROUNDS / 2)] ?? 0;
  return Number(median.toPrecision(3));
}

function microseconds(start: NodeJS.CpuUsage): number {
  const { user, system } = process.threadCpuUsage(start);
  return user + system;
}

function pick<T>(list: readonly T[], i: number): T {
  const item = list[i % list.length];
  if (item === undefined) throw new RangeError("empty list");
  return item;
}

function usedBytes(): number {
  collect();
  return process.memoryUsage().heapUsed;
}
