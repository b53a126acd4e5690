/** Looks whether a captured pod's rules are as they were applied, and puts back what is not. */
import type { NetworkNamespace } from "../sys/namespace.ts";
import { type AppliedRules, applyRules, brokenFamilies } from "./apply-rules.ts";
import { inspectNamespace } from "./inspect-namespace.ts";

export interface AuditOutcome {
  /** To compare with next time. */
  readonly rules: AppliedRules;
  readonly repaired: readonly (4 | 6)[];
}

/** Throws RulesError where a family that the pod speaks cannot be redirected (any more). */
export async function auditRules(
  namespace: NetworkNamespace,
  applied: AppliedRules,
  possible: readonly (4 | 6)[],
): Promise<AuditOutcome> {
  const { families: required } = await inspectNamespace(namespace);
  const broken = await brokenFamilies(namespace, applied);
  // A family that could not be redirected when nobody spoke it, and is spoken now.
  const missing = required.filter(
    (family) => !applied.entries.some((entry) => entry.family === family),
  );
  const repaired = [...broken, ...missing];
  if (repaired.length === 0) return { rules: applied, repaired };
  const { exclusions } = applied;
  const redirection = { possible, required, exclusions, isCaptured: true };
  return { rules: await applyRules(namespace, redirection), repaired };
}
