/**
 * What a decision may cost, in runs of loops and in what is kept, never in time: long lists are hashed once and
 * not scanned, short ones are scanned and not hashed, and what callers choose does not fill the memory.
 */
import type { CompiledPolicy } from "../../core/model/authorization-policy.ts";
import type { Cidr } from "../../core/model/ip.ts";
import { decide } from "../../nodeproxy/authz/decide.ts";
import { createDecider } from "../../nodeproxy/authz/decider.ts";
import {
  hashAccountsIfLong,
  hashBlocksIfLong,
  hashIfLong,
  isAccountIn,
  isInAnyBlock,
  matchesAny,
} from "../../nodeproxy/authz/match-list.ts";
import { readRules } from "../../nodeproxy/authz/read-rules.ts";
import { subjectOf } from "../../nodeproxy/authz/subject.ts";
import type { KnownAnswer } from "./known-facts.ts";

/** How often loops of the evaluator have run since the last call. */
export type TakeSteps = () => number;

const ATTEMPT = { sourceIp: [10, 0, 0, 1], destinationIp: [10, 0, 0, 2], destinationPort: 80 };
const PEER = { trustDomain: "mesh", namespace: "shop", serviceAccount: "web" };
const DOMAINS = ["mesh"];

export function knownCosts(takeSteps: TakeSteps): readonly KnownAnswer[] {
  return [
    ...["exact", "prefix", "suffix"].flatMap((kind) => listsOf(textList(kind), takeSteps)),
    ...listsOf(ACCOUNTS, takeSteps),
    ...listsOf(BLOCKS, takeSteps),
    ...keptAnswers(),
    ...keptHosts(),
  ];
}

interface ListKind {
  /** A new list of so many values, of which none matches what is asked. */
  readonly make: (length: number) => readonly unknown[];
  readonly hash: (list: readonly unknown[]) => void;
  readonly ask: (list: readonly unknown[]) => boolean;
}

function textList(kind: string): ListKind {
  return {
    make: (length) => Array.from({ length }, (_, i) => ({ kind, value: `v${i}v` })),
    hash: hashIfLong as ListKind["hash"],
    ask: (list) => matchesAny(list as Parameters<typeof matchesAny>[0], "other"),
  };
}

const ACCOUNTS: ListKind = {
  make: (length) => Array.from({ length }, (_, i) => ({ namespace: "shop", name: `v${i}` })),
  hash: hashAccountsIfLong as ListKind["hash"],
  ask: (list) => isAccountIn(list as Parameters<typeof isAccountIn>[0], PEER),
};

const BLOCKS: ListKind = {
  make: (length) =>
    Array.from(
      { length },
      (_, i) => ({ family: 4, bytes: [10, 1, i, 0], prefixLength: 24 }) satisfies Cidr,
    ),
  hash: hashBlocksIfLong as ListKind["hash"],
  ask: (list) => isInAnyBlock(list as readonly Cidr[], ATTEMPT.sourceIp),
};

function listsOf({ make, hash, ask }: ListKind, takeSteps: TakeSteps): readonly KnownAnswer[] {
  function costOf(run: () => unknown): number {
    takeSteps();
    run();
    return takeSteps();
  }
  const [long, hashed, short] = [make(13), make(13), make(12)];
  const early = costOf(() => hash(hashed));
  const first = costOf(() => ask(long));
  return [
    [`${costOf(() => hash(short))} ${early > 12}`, "0 true"],
    [`${first > 12} ${costOf(() => ask(long)) < 12}`, "true true"],
    [`${costOf(() => ask(hashed)) < 12}`, "true"],
    [`${costOf(() => ask(short))} ${costOf(() => ask(short))}`, "12 12"],
  ];
}

/** The very same object for the same question. */
function keptAnswers(): readonly KnownAnswer[] {
  const rule = { index: 0, from: [], to: [], when: [] };
  const policy: CompiledPolicy = {
    ref: "ns/p",
    action: "ALLOW",
    dryRun: false,
    invalid: false,
    rules: [rule],
  };
  const settings = { trustDomain: "mesh", trustDomainAliases: [] };
  const decider = createDecider({ refs: [policy.ref], policyOf: () => policy, settings });
  const attempt = { ...ATTEMPT, peer: PEER };
  const names = [1, 2].map(() => subjectOf(attempt, DOMAINS).names);
  return [
    [`${decide(decider, attempt) === decide(decider, attempt)}`, "true"],
    [`${names[0] === names[1]}`, "true"],
    [`${readRules(policy, 0) === policy.rules}`, "true"],
  ];
}

/** Up to 1024 hosts, none of more than 264 characters; then the table begins anew. */
function keptHosts(): readonly KnownAnswer[] {
  let count = 0;
  function fill(hosts: number): void {
    for (const end = count + hosts; count < end; count += 1) hostsOf(`filled-${count}`);
  }
  const before = hostsOf("mark");
  for (let i = 0; i < 1_100 && hostsOf("mark") === before; i += 1) fill(1);
  // There are two now: the one that emptied the table, and the mark.
  const mark = hostsOf("mark");
  const isEmptied = mark !== before;
  fill(1_022);
  const isKept = hostsOf("mark") === mark;
  fill(1);
  const isLetGo = hostsOf("mark") !== mark;
  return [
    [`${isEmptied} ${isKept} ${isLetGo}`, "true true true"],
    [`${isHostKept("h".repeat(264))} ${isHostKept("h".repeat(265))}`, "true false"],
  ];
}

function isHostKept(host: string): boolean {
  return hostsOf(host) === hostsOf(host);
}

function hostsOf(host: string): readonly string[] {
  const http = { method: "GET", path: "/", host, headers: new Map() };
  return subjectOf({ ...ATTEMPT, http }, []).hosts;
}
