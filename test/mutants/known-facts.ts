/** What random attempts hardly ever show: odd hosts, callers and tokens, templates at their edges, and half of what a rule asks for. */
import type {
  CompiledPolicy,
  PolicyAction,
  Rule,
  SourceLayer7,
} from "../../core/model/authorization-policy.ts";
import type { MtlsModes } from "../../core/model/mtls-modes.ts";
import type { Attempt, HttpFacts } from "../../nodeproxy/authz/attempt.ts";
import { decide } from "../../nodeproxy/authz/decide.ts";
import { decideMode } from "../../nodeproxy/authz/decide-mode.ts";
import { createDecider } from "../../nodeproxy/authz/decider.ts";
import { matchesPath, templateStart } from "../../nodeproxy/authz/match-text.ts";
import { subjectOf } from "../../nodeproxy/authz/subject.ts";
import { claimTexts, textClaim } from "../../nodeproxy/authz/token-facts.ts";
import { dryRunOutcome, type Observation } from "../../nodeproxy/authz/verdict.ts";

/** What was said, and what is right. */
export type KnownAnswer = readonly [string, string];

const ATTEMPT = { sourceIp: [10, 0, 0, 1], destinationIp: [10, 0, 0, 2], destinationPort: 80 };
const HTTP: HttpFacts = { method: "GET", path: "/", host: "api", headers: new Map() };
const ALICE = { iss: "idp", sub: "alice" };
const BOB = { iss: "idp", sub: "bob" };
const IS_ALICE = {
  issuer: { kind: "exact", value: "idp" },
  subject: { kind: "exact", value: "alice" },
} as const;
const ANY = { issuer: { kind: "present" }, subject: { kind: "present" } } as const;
const BLOCK = { family: 4, bytes: [10, 0, 0, 0], prefixLength: 8 } as const;
const UNASKED: SourceLayer7 = {
  requestPrincipals: [],
  notRequestPrincipals: [],
  remoteIpBlocks: [],
  notRemoteIpBlocks: [],
};
const SOURCE = {
  principals: [],
  notPrincipals: [],
  namespaces: [],
  notNamespaces: [],
  serviceAccounts: [],
  notServiceAccounts: [],
  trustDomains: [],
  notTrustDomains: [],
  ipBlocks: [],
  notIpBlocks: [],
} as const;

export function knownFacts(): readonly KnownAnswer[] {
  return [
    ...hosts(),
    ...callers(),
    ...templates(),
    ...tokens(),
    ...halfSeen(),
    ...invalid(),
    ...dryRuns(),
    ...modes(),
  ];
}

function hosts(): readonly KnownAnswer[] {
  return [
    [hostForms(""), "[]"],
    [hostForms("api.shop"), '["api.shop"]'],
    [hostForms("Api.Shop"), '["api.shop"]'],
    [hostForms("api.shop:80"), '["api.shop:80","api.shop"]'],
    [hostForms("api.shop.:80"), '["api.shop.:80","api.shop.","api.shop"]'],
    [hostForms(":80"), '[":80",""]'],
    [hostForms("fd00::1"), '["fd00::1"]'],
    [hostForms("[fd00::1]:80"), '["[fd00::1]:80","[fd00::1]"]'],
  ];
}

function hostForms(host: string): string {
  return JSON.stringify(subjectOf({ ...ATTEMPT, http: { ...HTTP, host } }, []).hosts);
}

/** One caller under two meshes: what is kept of it for the one must not be told of the other. */
function callers(): readonly KnownAnswer[] {
  const peer = { trustDomain: "new", namespace: "shop", serviceAccount: "web" };
  const attempt = { ...ATTEMPT, peer };
  const domains = [["new", "old"], ["new"], ["other"]];
  return domains.map((each) => [
    subjectOf(attempt, each).names.trustDomains.join(" "),
    each.includes("new") ? each.join(" ") : "new",
  ]);
}

function templates(): readonly KnownAnswer[] {
  return [
    [templateStart("/a/{*}/c"), "/a/"],
    [templateStart("{*}/c"), ""],
    [templateStart("/a/b"), "/a/b"],
    [fits("{*}/c", "a/c"), "true"],
    [fits("{*}", "/c"), "false"],
    [fits("{*}", "c"), "true"],
    [fits("{**}", ""), "true"],
  ];
}

function fits(value: string, path: string): string {
  return `${matchesPath({ kind: "template", value }, path)}`;
}

function tokens(): readonly KnownAnswer[] {
  const inherited = Object.create({ sub: "alice", in: { role: "admin" } });
  return [
    [`${textClaim(inherited, "sub")}`, "undefined"],
    [`${textClaim({ sub: 7 }, "sub")}`, "undefined"],
    [`${claimTexts(inherited, ["in", "role"]).length}`, "0"],
    [claimTexts({ in: { role: "admin" } }, ["in", "role"]).join(), "admin"],
    [`${claimTexts({ in: ["admin"] }, ["in", "0"]).length}`, "0"],
    [verdict("ALLOW", { requestPrincipals: [ANY] }, { claims: { iss: "idp", sub: 7 } }), "deny"],
  ];
}

/** Of a request without its original client, and of an original client without a request: what is seen of a DENY still counts. */
function halfSeen(): readonly KnownAnswer[] {
  const who = { remoteIpBlocks: [BLOCK], requestPrincipals: [IS_ALICE] };
  const whoNot = { remoteIpBlocks: [BLOCK], notRequestPrincipals: [IS_ALICE] };
  const where = { remoteIpBlocks: [BLOCK], requestPrincipals: [IS_ALICE] };
  const whereNot = { notRemoteIpBlocks: [BLOCK], requestPrincipals: [IS_ALICE] };
  return [
    [verdict("DENY", who, { claims: ALICE }), "deny"],
    [verdict("DENY", who, { claims: BOB }), "permit"],
    [verdict("DENY", whoNot, { claims: ALICE }), "permit"],
    [verdict("DENY", whoNot, { claims: BOB }), "deny"],
    [verdict("DENY", where, { remoteIp: [10, 0, 0, 9] }), "deny"],
    [verdict("DENY", where, { remoteIp: [11, 0, 0, 9] }), "permit"],
    [verdict("DENY", whereNot, { remoteIp: [10, 0, 0, 9] }), "permit"],
    [verdict("DENY", whereNot, { remoteIp: [11, 0, 0, 9] }), "deny"],
    [verdict("ALLOW", {}, {}), "permit"],
  ];
}

interface Shown {
  readonly claims?: HttpFacts["claims"];
  readonly remoteIp?: readonly number[];
}

/** Of one policy that asks for this alone, where this alone is shown. */
function verdict(
  action: "ALLOW" | "DENY",
  layer7: Partial<SourceLayer7>,
  { claims, remoteIp }: Shown,
): string {
  const source = { ...SOURCE, layer7: { ...UNASKED, ...layer7 } };
  const rule = { index: 0, from: [source], to: [], when: [] };
  const attempt = {
    ...ATTEMPT,
    ...(claims ? { http: { ...HTTP, claims } } : {}),
    ...(remoteIp ? { remoteIp } : {}),
  };
  return decisionOf({ ref: "ns/p", action, dryRun: false, invalid: false, rules: [rule] }, attempt)
    .verdict.kind;
}

function decisionOf(policy: CompiledPolicy, attempt: Attempt) {
  const settings = { trustDomain: "cluster.local", trustDomainAliases: [] };
  return decide(createDecider({ refs: [policy.ref], policyOf: () => policy, settings }), attempt);
}

/** One that cannot be evaluated is told of by no rule of its own. */
function invalid(): readonly KnownAnswer[] {
  const rules: readonly Rule[] = [{ index: 3, from: [], to: [], when: [] }];
  const policy = { ref: "ns/p", action: "DENY", dryRun: true, invalid: true, rules } as const;
  return [
    [
      decisionOf(policy, ATTEMPT)
        .observed.map(({ rule }) => rule)
        .join(),
      "-1",
    ],
  ];
}

/** Of a caller with an identity, and of one without, at port 80. */
function modes(): readonly KnownAnswer[] {
  const strict: MtlsModes = { default: "STRICT", ports: [] };
  const open: MtlsModes = { default: "STRICT", ports: [{ port: 80, mode: "PERMISSIVE" }] };
  return [
    [arrives(undefined), "policy_unknown policy_unknown"],
    [arrives(strict), "pass plaintext_refused"],
    [arrives(open), "pass pass"],
    [arrives({ default: "PERMISSIVE", ports: [{ port: 80, mode: "STRICT" }] }), arrives(strict)],
    [arrives({ default: "DISABLE", ports: [] }), "pass pass"],
  ];
}

function arrives(modes: MtlsModes | undefined): string {
  const peer = { trustDomain: "new", namespace: "shop", serviceAccount: "web" };
  const asked = [{ ...ATTEMPT, peer }, ATTEMPT].map((attempt) => decideMode(modes, attempt));
  return asked.map((said) => (said.kind === "deny" ? said.reason : said.kind)).join(" ");
}

const BY = { policy: "ns/live", rule: 0 };
const PERMIT = { kind: "permit" } as const;
const NOT_ALLOWED = { kind: "deny", reason: "not_allowed" } as const;
const DENIED = { kind: "deny", reason: "denied_by_policy" } as const;

/** What became of it, what of dry runs matched, whether there is an ALLOW in force or in dry run, and what would be. */
function dryRuns(): readonly KnownAnswer[] {
  const [live, dry, none] = [
    { hasAllow: true, dryRun: { isAny: true, hasAllow: false } },
    { hasAllow: false, dryRun: { isAny: true, hasAllow: true } },
    { hasAllow: false, dryRun: { isAny: true, hasAllow: false } },
  ];
  return [
    [dryRunOutcome(none, PERMIT, []), "permit"],
    [dryRunOutcome(none, PERMIT, [match("DENY", true)]), "deny"],
    [dryRunOutcome(none, PERMIT, [match("CUSTOM", true)]), "deny"],
    [dryRunOutcome(none, PERMIT, [match("AUDIT", false), match("DENY", true)]), "deny"],
    [dryRunOutcome(none, PERMIT, [match("DENY", true), match("ALLOW", true)]), "deny"],
    [dryRunOutcome(none, PERMIT, [match("AUDIT", false)]), "permit"],
    [dryRunOutcome(live, { ...PERMIT, by: BY }, []), "permit"],
    [dryRunOutcome(live, NOT_ALLOWED, []), "deny"],
    [dryRunOutcome(live, NOT_ALLOWED, [match("AUDIT", false)]), "deny"],
    [dryRunOutcome(live, NOT_ALLOWED, [match("ALLOW", true)]), "permit"],
    [dryRunOutcome(live, NOT_ALLOWED, [match("AUDIT", true), match("ALLOW", true)]), "permit"],
    [dryRunOutcome(live, DENIED, [match("ALLOW", true)]), "deny"],
    [dryRunOutcome(dry, PERMIT, []), "deny"],
    [dryRunOutcome(dry, PERMIT, [match("AUDIT", true)]), "deny"],
    [dryRunOutcome(dry, PERMIT, [match("ALLOW", true)]), "permit"],
  ];
}

function match(action: PolicyAction, dryRun: boolean): Observation {
  return { policy: "ns/dry", rule: 0, action, dryRun };
}
