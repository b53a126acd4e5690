/**
 * The policies of one workload, indexed: made when the set arrives, asked by `decide()`.
 *
 * Never changed once made: a change makes another, which shares with the previous one whatever stayed.
 */
import type { CompiledPolicy } from "../../core/model/authorization-policy.ts";
import type { MeshSettings } from "../../core/model/mesh-settings.ts";
import { changeLayers, type Layers, NO_LAYERS } from "./policy-layer.ts";

export interface Decider {
  /** As the enrolment names them. */
  readonly refs: readonly string[];
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
  readonly counts: PolicyCounts;
  readonly index: Layers;
}

/** How many there are of the policies that matter by being there. */
interface PolicyCounts {
  /** ALLOW, in force. */
  readonly allow: number;
  /** In dry run, but for AUDIT. */
  readonly dry: number;
  /** ALLOW in dry run. */
  readonly dryAllow: number;
}

export interface DryRunPolicies {
  readonly isAny: boolean;
  readonly hasAllow: boolean;
}

/** All of it but the index, which takes long to make of many policies. */
export type PolicySet = Omit<Decider, "refs" | "counts" | "index">;

export interface DeciderInput {
  /** `Enrolment.policies`. */
  readonly refs: readonly string[];
  readonly policyOf: (ref: string) => CompiledPolicy | undefined;
  readonly settings: Pick<MeshSettings, "trustDomain" | "trustDomainAliases">;
  /** Names of the providers that the caller can ask; without, CUSTOM policies deny what they match. */
  readonly providers?: readonly string[];
  /** Policies of which some may have changed since `previous` was made, and no others; without, all are compared. */
  readonly changed?: ReadonlySet<string>;
}

/** For `explain()` of one attempt. */
export function listPolicies(input: DeciderInput): PolicySet {
  const { settings, providers } = input;
  const listed = readPolicies(input);
  const counts = countsOf(listed.policies);
  return {
    ...listed,
    meshDomains: domainsOf(settings),
    providers: [...new Set(providers)].toSorted(),
    ...presenceOf(counts),
  };
}

/** `previous` is handed back as it is where nothing that it was made of has changed, and is the cheaper the less changed. */
export function createDecider(input: DeciderInput, previous?: Decider): Decider {
  const domains = domainsOf(input.settings);
  // Names of callers are kept by this list: as long as it is the same one, they are.
  const meshDomains =
    previous && isSame(previous.meshDomains, domains) ? previous.meshDomains : domains;
  const providers = [...new Set(input.providers)].toSorted();
  const quick = previous && replaceChanged({ ...input, meshDomains, providers }, previous);
  if (quick) return quick;
  const { policies, missing } = readPolicies(input);
  if (previous && isMadeOf(previous, { policies, missing, meshDomains, providers })) {
    return previous;
  }
  const change = changeBetween(previous?.policies ?? [], policies);
  const { refs } = input;
  return changeDecider({ refs, policies, missing, meshDomains, providers }, change, previous);
}

function readPolicies({ refs, policyOf }: DeciderInput): Pick<Decider, "policies" | "missing"> {
  const policies: CompiledPolicy[] = [];
  const missing: string[] = [];
  for (const ref of ascending(refs)) {
    const policy = policyOf(ref);
    if (policy) policies.push(policy);
    else missing.push(ref);
  }
  return { policies, missing };
}

function domainsOf({ trustDomain, trustDomainAliases }: DeciderInput["settings"]) {
  return [...new Set([trustDomain, ...trustDomainAliases])];
}

function presenceOf({ allow, dry, dryAllow }: PolicyCounts): Pick<Decider, "hasAllow" | "dryRun"> {
  return { hasAllow: allow > 0, dryRun: { isAny: dry > 0, hasAllow: dryAllow > 0 } };
}

interface Change {
  readonly added: readonly CompiledPolicy[];
  readonly removed: readonly CompiledPolicy[];
}

/** Where some policies were replaced and nothing else happened: costs what those cost. */
function replaceChanged(
  {
    refs,
    policyOf,
    changed,
    meshDomains,
    providers,
  }: DeciderInput & Pick<Decider, "meshDomains" | "providers">,
  previous: Decider,
): Decider | undefined {
  const isElse =
    refs !== previous.refs ||
    meshDomains !== previous.meshDomains ||
    previous.missing.length > 0 ||
    !isSame(providers, previous.providers);
  if (!changed || isElse) return undefined;
  const policies = [...previous.policies];
  const added: CompiledPolicy[] = [];
  const removed: CompiledPolicy[] = [];
  for (const ref of changed) {
    const at = placeOf(policies, ref);
    const old = policies[at];
    if (old?.ref !== ref) continue;
    const policy = policyOf(ref);
    if (!policy) return undefined;
    if (policy === old) continue;
    policies[at] = policy;
    added.push(policy);
    removed.push(old);
  }
  if (added.length === 0) return previous;
  return changeDecider({ ...previous, policies }, { added, removed }, previous);
}

/** By halves: where a policy of that name is, or would be. */
function placeOf(policies: readonly CompiledPolicy[], ref: string): number {
  let low = 0;
  let high = policies.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((policies[middle]?.ref ?? "") < ref) low = middle + 1;
    else high = middle;
  }
  return low;
}

function changeDecider(
  rest: Pick<Decider, "refs" | "policies" | "missing" | "meshDomains" | "providers">,
  change: Change,
  previous: Decider | undefined,
): Decider {
  const { refs, policies, missing, meshDomains, providers } = rest;
  const more = countsOf(change.added);
  const fewer = countsOf(change.removed);
  const before = previous?.counts ?? countsOf([]);
  const counts = {
    allow: before.allow + more.allow - fewer.allow,
    dry: before.dry + more.dry - fewer.dry,
    dryAllow: before.dryAllow + more.dryAllow - fewer.dryAllow,
  };
  return {
    refs,
    policies,
    missing,
    meshDomains,
    providers,
    ...presenceOf(counts),
    counts,
    index: changeLayers(previous?.index ?? NO_LAYERS, change),
  };
}

function countsOf(policies: readonly CompiledPolicy[]): PolicyCounts {
  const dry = policies.filter((policy) => policy.dryRun && policy.action !== "AUDIT");
  return {
    allow: policies.filter(({ action, dryRun }) => action === "ALLOW" && !dryRun).length,
    dry: dry.length,
    dryAllow: dry.filter(({ action }) => action === "ALLOW").length,
  };
}

/** Both are sorted by name. */
function changeBetween(
  before: readonly CompiledPolicy[],
  policies: readonly CompiledPolicy[],
): Change {
  const added: CompiledPolicy[] = [];
  const removed: CompiledPolicy[] = [];
  let at = 0;
  for (const policy of policies) {
    for (let old = before[at]; old && old.ref < policy.ref; old = before[at]) {
      removed.push(old);
      at += 1;
    }
    const old = before[at];
    if (old?.ref === policy.ref) at += 1;
    if (old === policy) continue;
    added.push(policy);
    if (old?.ref === policy.ref) removed.push(old);
  }
  for (const old of before.slice(at)) removed.push(old);
  return { added, removed };
}

function ascending(refs: readonly string[]): readonly string[] {
  const isAscending = refs.every((ref, i) => i === 0 || (refs[i - 1] ?? "") < ref);
  return isAscending ? refs : [...new Set(refs)].toSorted();
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
