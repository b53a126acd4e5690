/**
 * Puts the rules, the `ip rule` and the route of a captured pod into its network namespace, looks
 * whether they are there, and takes them out. Never touches the host's.
 */
import type { CaptureExclusions } from "../../core/model/capture-exclusions.ts";
import type { NetworkNamespace } from "../sys/namespace.ts";
import { applyReturnRoute, hasReturnRoute, removeReturnRoute } from "./return-route.ts";
import { isRedirecting, rulesToApply, rulesToRemove, rulesToStop, weftRules } from "./rules.ts";
import { RulesError } from "./rules-error.ts";
import { runInNamespace } from "./run-in-namespace.ts";

/** Which back end of iptables the kernel serves: `nft` on any of today's, `legacy` on old ones. */
type Flavour = "nft" | "legacy";

export interface AppliedRules {
  readonly exclusions: CaptureExclusions;
  /** What the tables held right after, to notice any later change. */
  readonly entries: readonly {
    readonly family: 4 | 6;
    readonly flavour: Flavour;
    readonly rules: string;
  }[];
}

export interface Redirection {
  /** Those that have listeners. */
  readonly possible: readonly (4 | 6)[];
  /** Those the pod speaks now. Only they must succeed; the others are redirected against a later day. */
  readonly required: readonly (4 | 6)[];
  readonly exclusions: CaptureExclusions;
}

/** Throws RulesError where a required family cannot be redirected; what was put in until then is taken out again. */
export async function applyRules(
  namespace: NetworkNamespace,
  { possible, required, exclusions }: Redirection,
): Promise<AppliedRules> {
  const entries: AppliedRules["entries"][number][] = [];
  for (const family of possible) {
    try {
      await applyReturnRoute(namespace, family);
      entries.push(await applyFamily(namespace, family, exclusions));
    } catch (error) {
      await removeRules(namespace, [family]).catch(() => undefined);
      if (!required.includes(family)) continue;
      await removeRules(
        namespace,
        entries.map((entry) => entry.family),
      ).catch(() => undefined);
      throw error;
    }
  }
  return { exclusions, entries };
}

/** The families that are not as they were applied. */
export async function brokenFamilies(
  namespace: NetworkNamespace,
  applied: AppliedRules,
): Promise<readonly (4 | 6)[]> {
  const broken: (4 | 6)[] = [];
  for (const { family, flavour, rules } of applied.entries) {
    const saved = await save(namespace, { family, flavour });
    const isWhole = weftRules(saved) === rules && (await hasReturnRoute(namespace, family));
    if (!isWhole) broken.push(family);
  }
  return broken;
}

/** Whether every family is redirected already: a capture that this process did not make itself. */
export async function areRedirected(
  namespace: NetworkNamespace,
  families: readonly (4 | 6)[],
): Promise<boolean> {
  for (const family of families) {
    const [flavour] = await usedFlavours(namespace, family);
    if (flavour === undefined) return false;
    if (!isRedirecting(await saveOrEmpty(namespace, { family, flavour }))) return false;
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

const FLAVOURS: readonly Flavour[] = ["nft", "legacy"];
/** Flavour, and whether its kernel has `xt_socket`; best first. */
const WAYS: readonly (readonly [Flavour, boolean])[] = [
  ["nft", true],
  ["nft", false],
  ["legacy", true],
  ["legacy", false],
];

interface Tables {
  readonly family: 4 | 6;
  readonly flavour: Flavour;
}

async function applyFamily(
  namespace: NetworkNamespace,
  family: 4 | 6,
  exclusions: CaptureExclusions,
): Promise<AppliedRules["entries"][number]> {
  const failures: string[] = [];
  for (const [flavour, canFindListeners] of WAYS) {
    const tables = { family, flavour };
    try {
      const saved = await save(namespace, tables);
      await restore(
        namespace,
        tables,
        rulesToApply(family, saved, { canFindListeners, exclusions }),
      );
      return { ...tables, rules: weftRules(await save(namespace, tables)) };
    } catch (error) {
      if (!(error instanceof RulesError)) throw error;
      failures.push(error.message);
    }
  }
  throw new RulesError(failures.join("; "));
}

/** Looking at the legacy tables would create them, so they are only asked where nft has no chain of ours. */
async function usedFlavours(
  namespace: NetworkNamespace,
  family: 4 | 6,
): Promise<readonly Flavour[]> {
  for (const flavour of FLAVOURS) {
    const saved = await saveOrEmpty(namespace, { family, flavour });
    if (saved.includes("WEFT_")) return [flavour];
  }
  return [];
}

async function saveOrEmpty(namespace: NetworkNamespace, tables: Tables): Promise<string> {
  const result = await runInNamespace(namespace, [program(tables, "save")]);
  return result.code === 0 ? result.stdout : "";
}

async function save(namespace: NetworkNamespace, tables: Tables): Promise<string> {
  const { code, stdout, stderr } = await runInNamespace(namespace, [program(tables, "save")]);
  if (code !== 0) throw new RulesError(`${program(tables, "save")}: ${stderr}`);
  return stdout;
}

async function restore(namespace: NetworkNamespace, tables: Tables, text: string): Promise<void> {
  const command = [program(tables, "restore"), "--noflush", "--wait", "5"];
  const { code, stderr } = await runInNamespace(namespace, command, text);
  if (code !== 0) throw new RulesError(`${program(tables, "restore")}: ${stderr}`);
}

function program({ family, flavour }: Tables, verb: "save" | "restore"): string {
  return `${family === 4 ? "iptables" : "ip6tables"}-${flavour}-${verb}`;
}
