/**
 * Puts the rules, the `ip rule` and the route of a captured pod into its network namespace, looks
 * whether they are there, and takes them out. Never touches the host's.
 */
import type { CaptureExclusions } from "../../core/model/capture-exclusions.ts";
import type { NetworkNamespace } from "../sys/namespace.ts";
import { applyReturnRoute, hasReturnRoute, removeReturnRoute } from "./return-route.ts";
import { isRedirecting, rulesToApply, rulesToRemove, rulesToStop, weftRules } from "./rules.ts";
import { RulesError } from "./rules-error.ts";
import {
  type Flavour,
  hasLegacyTables,
  restore,
  save,
  saveOrEmpty,
  type Tables,
} from "./tables.ts";

interface AppliedEntry extends Tables {
  readonly rules: string;
}

export interface AppliedRules {
  readonly exclusions: CaptureExclusions;
  /** What the tables held right after, to notice any later change. */
  readonly entries: readonly AppliedEntry[];
}

export interface Redirection {
  /** Those that have listeners. */
  readonly possible: readonly (4 | 6)[];
  /** Those the pod speaks now. Only they must succeed; the others are redirected against a later day. */
  readonly required: readonly (4 | 6)[];
  readonly exclusions: CaptureExclusions;
  /** What of the rules is in place stays where the rest fails: a pod that is captured must not be opened by a repair. */
  readonly isCaptured?: boolean;
}

/**
 * Throws RulesError where a required family cannot be redirected. What was put in until then is taken out again,
 * so that a pod is captured whole or not at all; unless it is captured already.
 */
export async function applyRules(
  namespace: NetworkNamespace,
  { possible, required, exclusions, isCaptured = false }: Redirection,
): Promise<AppliedRules> {
  const entries: AppliedEntry[] = [];
  for (const family of possible) {
    try {
      await applyReturnRoute(namespace, family);
      entries.push(...(await applyFamily(namespace, family, exclusions)));
    } catch (error) {
      const isRequired = required.includes(family);
      const undone = isRequired ? possible : [family];
      if (!isCaptured) await removeRules(namespace, undone).catch(() => undefined);
      if (isRequired) throw error;
    }
  }
  return { exclusions, entries };
}

/** The families that are not as they were applied. */
export async function brokenFamilies(
  namespace: NetworkNamespace,
  applied: AppliedRules,
): Promise<readonly (4 | 6)[]> {
  const broken = new Set<4 | 6>();
  for (const { family, flavour, rules } of applied.entries) {
    const saved = await save(namespace, { family, flavour });
    const isWhole = weftRules(saved) === rules && (await hasReturnRoute(namespace, family));
    if (!isWhole || (await isLegacyMissing(namespace, family, applied))) broken.add(family);
  }
  return [...broken];
}

/** Somebody began to use the legacy tables since: an init container that came after the gate. */
async function isLegacyMissing(
  namespace: NetworkNamespace,
  family: 4 | 6,
  { entries }: AppliedRules,
): Promise<boolean> {
  const isApplied = entries.some((entry) => entry.family === family && entry.flavour === "legacy");
  return !isApplied && (await hasLegacyTables(namespace, family));
}

/** Whether every family is redirected already: a capture that this process did not make itself. */
export async function areRedirected(
  namespace: NetworkNamespace,
  families: readonly (4 | 6)[],
): Promise<boolean> {
  for (const family of families) {
    const flavours = await usedFlavours(namespace, family);
    const saved = flavours.map(async (flavour) => saveOrEmpty(namespace, { family, flavour }));
    if (!(await Promise.all(saved)).some(isRedirecting)) return false;
  }
  return families.length > 0;
}

/** Whether any family is: then callers may have been told to use the tunnel. */
export async function isAnyRedirected(
  namespace: NetworkNamespace,
  families: readonly (4 | 6)[],
): Promise<boolean> {
  for (const family of families) if (await areRedirected(namespace, [family])) return true;
  return false;
}

/** New connections go past Weft from here on; open ones stay as they are. */
export async function stopRedirecting(
  namespace: NetworkNamespace,
  families: readonly (4 | 6)[],
): Promise<void> {
  for (const family of families) {
    for (const flavour of await usedFlavours(namespace, family)) {
      await restore(namespace, { family, flavour }, rulesToStop());
    }
  }
}

/** Leaves no trace. Open connections that Weft carries would end. */
export async function removeRules(
  namespace: NetworkNamespace,
  families: readonly (4 | 6)[],
): Promise<void> {
  for (const family of families) {
    for (const flavour of await usedFlavours(namespace, family)) {
      const saved = await save(namespace, { family, flavour });
      await restore(namespace, { family, flavour }, rulesToRemove(family, saved));
    }
    await removeReturnRoute(namespace, family);
  }
}

/** Best first. */
const FLAVOURS: readonly Flavour[] = ["nft", "legacy"];

/**
 * By nft, and by legacy as well where that is in use here: the kernel asks whichever came first and leaves the other
 * out, so that the rules of one's own must be first in both. By legacy alone where the kernel has no nft.
 */
async function applyFamily(
  namespace: NetworkNamespace,
  family: 4 | 6,
  exclusions: CaptureExclusions,
): Promise<readonly AppliedEntry[]> {
  const isLegacyUsed = await hasLegacyTables(namespace, family);
  const entries: AppliedEntry[] = [];
  const failures: string[] = [];
  for (const flavour of FLAVOURS) {
    if (flavour === "legacy" && !isLegacyUsed && entries.length > 0) break;
    const applied = await applyTables(namespace, { family, flavour }, exclusions);
    if (applied.kind === "applied") entries.push(applied.entry);
    else failures.push(applied.message);
    if (applied.kind === "failed" && flavour === "legacy")
      throw new RulesError(failures.join("; "));
  }
  return entries;
}

type AppliedTables =
  | { readonly kind: "applied"; readonly entry: AppliedEntry }
  | { readonly kind: "failed"; readonly message: string };

async function applyTables(
  namespace: NetworkNamespace,
  tables: Tables,
  exclusions: CaptureExclusions,
): Promise<AppliedTables> {
  const failures: string[] = [];
  // Not every kernel has `xt_socket`.
  for (const canFindListeners of [true, false]) {
    try {
      const saved = await save(namespace, tables);
      const rules = rulesToApply(tables.family, saved, { canFindListeners, exclusions });
      await restore(namespace, tables, rules);
      return {
        kind: "applied",
        entry: { ...tables, rules: weftRules(await save(namespace, tables)) },
      };
    } catch (error) {
      if (!(error instanceof RulesError)) throw error;
      failures.push(error.message);
    }
  }
  return { kind: "failed", message: failures.join("; ") };
}

/** The back ends that have chains of ours. */
async function usedFlavours(
  namespace: NetworkNamespace,
  family: 4 | 6,
): Promise<readonly Flavour[]> {
  const used: Flavour[] = [];
  for (const flavour of FLAVOURS) {
    if (flavour === "legacy" && !(await hasLegacyTables(namespace, family))) continue;
    const saved = await saveOrEmpty(namespace, { family, flavour });
    if (saved.includes("WEFT_")) used.push(flavour);
  }
  return used;
}
