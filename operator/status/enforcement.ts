/**
 * Condition Enforced, "n of m nodes": of the nodes with workloads that an object is about, how many
 * hold what it was compiled to, in its current version, and have all these workloads captured. Pure.
 */
import { type ResourceRef, resourceKey, UNREAD } from "../../core/model/resource.ts";
import type { PolicyState, Proof } from "../index/policy-state.ts";
import type { Condition } from "./conditions.ts";

/**
 * What one node said it holds, by `resourceKey`, and what it would not take, or not read whole: the latter
 * it holds, in a version with `UNREAD` at its end. May be a live view.
 */
export interface AppliedByNode {
  readonly held: ReadonlyMap<string, { readonly version: string }>;
  readonly refused: readonly (ResourceRef & { readonly reason: string })[];
}

/** Where one node stands with one object; `why` is for people, "" where it is applied. */
interface Standing {
  readonly node: string;
  readonly kind: "applied" | "missing" | "refused" | "unread" | "uncaptured";
  readonly why: string;
}

/** So many nodes are named in the message. */
const MAX_NAMED = 5;

type Judged = Pick<PolicyState, "accepted" | "effect" | "proofs" | "uncaptured" | "refusal">;

export interface Enforcement {
  readonly condition: Condition;
  /** `2/3`: of the nodes that have to, so many enforce it. */
  readonly nodes: string;
}

export function enforcementOf(
  judged: Judged,
  applied: ReadonlyMap<string, AppliedByNode>,
): Enforcement {
  const isUnused = judged.effect === "unused";
  const standings = isUnused
    ? []
    : standingsOf(judged.proofs, applied).map((one) => withCapture(one, judged.uncaptured));
  const done = standings.filter(({ kind }) => kind === "applied").length;
  const nodes = `${done}/${standings.length}`;
  return { condition: conditionOf(judged, standings, done), nodes };
}

function conditionOf(
  { accepted, effect, refusal }: Judged,
  standings: readonly Standing[],
  done: number,
): Condition {
  if (effect === "unused") {
    return enforced("False", refusal ?? "Invalid", "not in force: all is as without it");
  }
  const count = `${done} of ${standings.length} nodes`;
  const refused = standings.filter(({ kind }) => kind === "refused");
  if (refused.length > 0) {
    return enforced("False", "RefusedByNode", `${count}; refused by ${named(refused)}`);
  }
  const unread = standings.filter(({ kind }) => kind === "unread");
  if (unread.length > 0) {
    const message = `${count}; fails closed on ${named(unread)}`;
    return enforced("False", "UnreadByNode", message);
  }
  const missing = standings.filter(({ kind }) => kind === "missing");
  if (missing.length > 0) {
    return enforced("False", "Progressing", `${count}; waiting for ${named(missing)}`);
  }
  const open = standings.filter(({ kind }) => kind === "uncaptured");
  if (open.length > 0) {
    return enforced("False", "NotCaptured", `${count}; not yet on ${named(open)}`);
  }
  if (!accepted) {
    return enforced(
      "False",
      "Invalid",
      `${count}; cannot be evaluated, so what it rules is denied`,
    );
  }
  return appliedCondition({ effect, count, isNeeded: standings.length > 0 });
}

interface AppliedEverywhere {
  readonly effect: Exclude<PolicyState["effect"], "unused">;
  readonly count: string;
  readonly isNeeded: boolean;
}

/** No node lacks anything of it. */
function appliedCondition({ effect, count, isNeeded }: AppliedEverywhere): Condition {
  switch (effect) {
    case "dry_run":
      return enforced("False", "DryRun", `${count}; counts and logs its matches, decides nothing`);
    case "after_restart":
      return enforced(
        "False",
        "RestartNeeded",
        `${count}; the new trustDomain takes effect when all replicas of the operator are restarted`,
      );
    case "full":
      return isNeeded
        ? enforced("True", "Enforced", count)
        : enforced("True", "NoWorkloads", `${count}: no workload in the mesh is concerned`);
  }
}

function standingsOf(
  proofs: readonly Proof[],
  applied: ReadonlyMap<string, AppliedByNode>,
): readonly Standing[] {
  const standings = new Map<string, Standing>();
  for (const proof of proofs) {
    const before = standings.get(proof.node);
    // One proof that is missing is enough: the first is told.
    if (before && before.kind !== "applied") continue;
    standings.set(proof.node, standingOf(proof, applied.get(proof.node)));
  }
  return [...standings.values()];
}

function standingOf({ node, key, version }: Proof, applied: AppliedByNode | undefined): Standing {
  if (!applied) return { node, kind: "missing", why: "not connected" };
  const held = applied.held.get(key)?.version;
  if (held === version) return { node, kind: "applied", why: "" };
  const refusal = applied.refused.find((entry) => resourceKey(entry) === key);
  if (held === version + UNREAD) return { node, kind: "unread", why: refusal?.reason ?? "" };
  if (refusal) return { node, kind: "refused", why: refusal.reason };
  return { node, kind: "missing", why: "behind" };
}

/** A node that holds it all enforces nothing on a pod whose traffic it does not see. */
function withCapture(standing: Standing, uncaptured: ReadonlyMap<string, number>): Standing {
  const pods = uncaptured.get(standing.node) ?? 0;
  if (standing.kind !== "applied" || pods === 0) return standing;
  const why = `${pods} ${pods === 1 ? "pod is" : "pods are"} not captured`;
  return { ...standing, kind: "uncaptured", why };
}

function enforced(status: Condition["status"], reason: string, message: string): Condition {
  return { type: "Enforced", status, reason, message };
}

function named(standings: readonly Standing[]): string {
  const names = standings.slice(0, MAX_NAMED).map(({ node, why }) => `${node} (${why})`);
  const more = standings.length - names.length;
  return more > 0 ? `${names.join(", ")} and ${more} more` : names.join(", ");
}
