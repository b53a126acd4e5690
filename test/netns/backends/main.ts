/**
 * Captures a namespace with only those programs that PATH has, and prints what came of it as JSON. Run by
 * `capture-backends.test.ts`, as a machine without one of the two back ends.
 *
 *     main.ts NAMESPACE apply | repair | audit | remove
 */
import { NOTHING_EXCLUDED } from "../../../core/model/capture-exclusions.ts";
import { applyRules, brokenFamilies, removeRules } from "../../../nodeproxy/capture/apply-rules.ts";
import { auditRules } from "../../../nodeproxy/capture/audit.ts";
import { RulesError } from "../../../nodeproxy/capture/rules-error.ts";
import { runInNamespace } from "../../../nodeproxy/capture/run-in-namespace.ts";
import { openNamespace } from "../../../nodeproxy/sys/namespace.ts";

const [path = "", verb = ""] = process.argv.slice(2);
const namespace = openNamespace(path);
const BOTH = { possible: [4, 6], required: [4, 6], exclusions: NOTHING_EXCLUDED } as const;

console.log(JSON.stringify(await act()));

async function act(): Promise<unknown> {
  try {
    if (verb === "remove") {
      await removeRules(namespace, [4, 6]);
      return null;
    }
    const applied = await applyRules(namespace, { ...BOTH, isCaptured: verb === "repair" });
    if (verb === "audit") {
      const damage = ["ip6tables-legacy", "-t", "nat", "-F", "WEFT_PREROUTING"];
      await runInNamespace(namespace, damage);
      const broken = await brokenFamilies(namespace, applied);
      const { rules } = await auditRules(namespace, applied, [4, 6]);
      return { broken, stillBroken: await brokenFamilies(namespace, rules) };
    }
    return { flavours: applied.entries.map(({ flavour }) => flavour) };
  } catch (error) {
    if (error instanceof RulesError) return { failed: error.message };
    throw error;
  }
}
