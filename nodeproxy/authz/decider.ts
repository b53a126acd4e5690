/**
 * The policies of one workload, indexed: made when the set arrives, asked by `decide()`.
 *
 * Made anew only where one of its policies changed; holds no state of its own.
 */
import type { CompiledPolicy } from "../../core/model/authorization-policy.ts";
import type { MeshSettings } from "../../core/model/mesh-settings.ts";
import { clausesOf } from "./clause.ts";
import { type ClauseIndex, createClauseIndex } from "./clause-index.ts";

export interface Decider {
  /** By name, which is the order of reports; order never decides. */
  readonly policies: readonly CompiledPolicy[];
  /** Named by the enrolment but not arrived, sorted. One is enough to deny everything. */
  readonly missing: readonly string[];
  /** The mesh's trust domain and its aliases. */
  readonly meshDomains: readonly string[];
  /** In force. */
  readonly custom: ClauseIndex;
  readonly deny: ClauseIndex;
  readonly allow: ClauseIndex;
  /** True with an ALLOW policy in force, even one that can match nothing. */
  readonly hasAllow: boolean;
  /** AUDIT, and whatever is in dry run. */
  readonly observed: ClauseIndex;
  readonly dryRun: DryRunPolicies;
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
}

/** `previous` is handed back as it is where nothing that it was made of has changed. */
export function createDecider(input: DeciderInput, previous?: Decider): Decider {
  const { refs, policyOf, settings } = input;
  const meshDomains = [...new Set([settings.trustDomain, ...settings.trustDomainAliases])];
  const sorted = [...new Set(refs)].toSorted();
  const found = sorted.map((ref) => policyOf(ref));
  const policies = found.filter((policy) => policy !== undefined);
  const missing = sorted.filter((_, i) => found[i] === undefined);
  if (previous && isMadeOf(previous, { policies, missing, meshDomains })) return previous;
  const live = policies.filter((policy) => !policy.dryRun && policy.action !== "AUDIT");
  const dry = policies.filter((policy) => policy.dryRun && policy.action !== "AUDIT");
  return {
    policies,
    missing,
    meshDomains,
    custom: indexOf(live.filter(({ action }) => action === "CUSTOM")),
    deny: indexOf(live.filter(({ action }) => action === "DENY")),
    allow: indexOf(live.filter(({ action }) => action === "ALLOW")),
    hasAllow: live.some(({ action }) => action === "ALLOW"),
    observed: indexOf(policies.filter((policy) => policy.dryRun || policy.action === "AUDIT")),
    dryRun: { isAny: dry.length > 0, hasAllow: dry.some(({ action }) => action === "ALLOW") },
  };
}

function indexOf(policies: readonly CompiledPolicy[]): ClauseIndex {
  return createClauseIndex(clausesOf(policies));
}

function isMadeOf(
  decider: Decider,
  of: Pick<Decider, "policies" | "missing" | "meshDomains">,
): boolean {
  return (
    isSame(decider.policies, of.policies) &&
    isSame(decider.missing, of.missing) &&
    isSame(decider.meshDomains, of.meshDomains)
  );
}

function isSame(a: readonly unknown[], b: readonly unknown[]): boolean {
  return a.length === b.length && a.every((item, i) => item === b[i]);
}
