/**
 * The policies of one workload, indexed: made when the set arrives, asked by `decide()`.
 *
 * Made anew only where one of its policies changed; holds no state of its own.
 */
import type { CompiledPolicy } from "../../core/model/authorization-policy.ts";
import type { MeshSettings } from "../../core/model/mesh-settings.ts";
import type { Attempt } from "./attempt.ts";
import { clausesOf } from "./clause.ts";
import { type ClauseIndex, createClauseIndex } from "./clause-index.ts";
import { HTTP, neededBy, REMOTE, type Seen, seenIn } from "./read-rules.ts";

export interface Decider {
  /** By name, which is the order of reports; order never decides. */
  readonly policies: readonly CompiledPolicy[];
  /** Named by the enrolment but not arrived, sorted. One is enough to deny everything. */
  readonly missing: readonly string[];
  /** The mesh's trust domain and its aliases. */
  readonly meshDomains: readonly string[];
  /** Whom CUSTOM policies may ask, sorted. */
  readonly providers: readonly string[];
  /** True with an ALLOW policy in force, even one that can match nothing. */
  readonly hasAllow: boolean;
  readonly dryRun: DryRunPolicies;
  /** What beyond layer 4 any rule asks for. */
  readonly needed: Seen;
  /** By what an attempt shows of what is needed; those that are rare are made when first asked for. */
  readonly views: Map<Seen, View>;
}

/** The rules as they read for attempts that show the same. */
export interface View {
  /** In force. */
  readonly custom: ClauseIndex;
  readonly deny: ClauseIndex;
  readonly allow: ClauseIndex;
  /** AUDIT, and whatever is in dry run. */
  readonly observed: ClauseIndex;
}

export interface DryRunPolicies {
  readonly isAny: boolean;
  readonly hasAllow: boolean;
}

export interface DeciderInput {
  /** `Enrolment.policies`. */
  readonly refs: readonly string[];
  readonly policyOf: (ref: string) => CompiledPolicy | undefined;
  readonly settings: Pick<MeshSettings, "trustDomain" | "trustDomainAliases">;
  /** Names of the providers that the caller can ask; without, CUSTOM policies deny what they match. */
  readonly providers?: readonly string[];
}

/** `previous` is handed back as it is where nothing that it was made of has changed. */
export function createDecider(input: DeciderInput, previous?: Decider): Decider {
  const { refs, policyOf, settings } = input;
  const meshDomains = [...new Set([settings.trustDomain, ...settings.trustDomainAliases])];
  const providers = [...new Set(input.providers)].toSorted();
  const sorted = [...new Set(refs)].toSorted();
  const found = sorted.map((ref) => policyOf(ref));
  const policies = found.filter((policy) => policy !== undefined);
  const missing = sorted.filter((_, i) => found[i] === undefined);
  if (previous && isMadeOf(previous, { policies, missing, meshDomains, providers })) {
    return previous;
  }
  const dry = policies.filter((policy) => policy.dryRun && policy.action !== "AUDIT");
  const needed = neededByAny(policies);
  return {
    policies,
    missing,
    meshDomains,
    providers,
    hasAllow: policies.some(({ action, dryRun }) => action === "ALLOW" && !dryRun),
    dryRun: { isAny: dry.length > 0, hasAllow: dry.some(({ action }) => action === "ALLOW") },
    needed,
    views: new Map(usualViews(needed).map((seen) => [seen, createView(policies, seen)])),
  };
}

export function viewFor({ policies, needed, views }: Decider, attempt: Attempt): View {
  const seen = seenIn(attempt) & needed;
  const known = views.get(seen);
  if (known) return known;
  const made = createView(policies, seen);
  views.set(seen, made);
  return made;
}

/** Of opaque connections and of HTTP requests. */
function usualViews(needed: Seen): readonly Seen[] {
  return [...new Set([0, needed & (HTTP | REMOTE)])];
}

function createView(policies: readonly CompiledPolicy[], seen: Seen): View {
  const live = policies.filter(({ dryRun }) => !dryRun);
  function indexOf(of: readonly CompiledPolicy[]): ClauseIndex {
    return createClauseIndex(clausesOf(of, seen));
  }
  return {
    custom: indexOf(live.filter(({ action }) => action === "CUSTOM")),
    deny: indexOf(live.filter(({ action }) => action === "DENY")),
    allow: indexOf(live.filter(({ action }) => action === "ALLOW")),
    observed: indexOf(policies.filter((policy) => policy.dryRun || policy.action === "AUDIT")),
  };
}

function neededByAny(policies: readonly CompiledPolicy[]): Seen {
  let needed = 0;
  for (const { rules } of policies) for (const rule of rules) needed |= neededBy(rule);
  return needed;
}

function isMadeOf(
  decider: Decider,
  of: Pick<Decider, "policies" | "missing" | "meshDomains" | "providers">,
): boolean {
  return (
    isSame(decider.policies, of.policies) &&
    isSame(decider.missing, of.missing) &&
    isSame(decider.meshDomains, of.meshDomains) &&
    isSame(decider.providers, of.providers)
  );
}

function isSame(a: readonly unknown[], b: readonly unknown[]): boolean {
  return a.length === b.length && a.every((item, i) => item === b[i]);
}
