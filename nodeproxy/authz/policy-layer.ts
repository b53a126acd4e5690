/**
 * Some policies of a workload with their index, never changed once made. A workload's policies are one
 * large layer and a few small ones of what came since, so that a change costs what changed.
 */
import type { CompiledPolicy } from "../../core/model/authorization-policy.ts";
import { clausesOf } from "./clause.ts";
import { type ClauseTable, createClauseTable } from "./clause-table.ts";
import { HTTP, neededBy, REMOTE, type Seen } from "./read-rules.ts";

export interface PolicyLayer {
  readonly policies: readonly CompiledPolicy[];
  /** What beyond layer 4 any of their rules asks for. */
  readonly needed: Seen;
  /** By what an attempt shows of what is needed; those that are rare are made when first asked for. */
  readonly views: Map<Seen, View>;
}

/** The rules as they read for attempts that show the same. In force are CUSTOM, DENY and ALLOW, in this order. */
export interface View {
  readonly table: ClauseTable;
  /** Ids from which on clauses are of DENY policies, of ALLOW policies, and of AUDIT or in dry run. */
  readonly deny: number;
  readonly allow: number;
  readonly observed: number;
}

export interface Layers {
  /** The oldest, which is the largest, first. */
  readonly layers: readonly PolicyLayer[];
  /** Policies that are in a layer and not in force any more. */
  readonly gone: ReadonlySet<CompiledPolicy>;
}

export const NO_LAYERS: Layers = { layers: [], gone: new Set() };

/** A layer takes in those below it that are not that many times as large: so there are few layers, and few are made again. */
const RATIO = 8;
/** Until so many are gone nothing is made again for it. */
const FEW = 64;

/** The same policies with some less and some more, which costs as much as those. */
export function changeLayers(
  previous: Layers,
  {
    added,
    removed,
  }: { readonly added: readonly CompiledPolicy[]; readonly removed: readonly CompiledPolicy[] },
): Layers {
  const gone = new Set(previous.gone);
  for (const policy of removed) gone.add(policy);
  // One that comes back is in its layer still.
  let fresh = added.filter((policy) => !gone.delete(policy));
  const layers = [...previous.layers];
  const total = layers.reduce((sum, { policies }) => sum + policies.length, 0);
  const isWorn = gone.size > FEW && gone.size > total / RATIO;
  for (;;) {
    const last = layers.at(-1);
    if (!last || (!isWorn && last.policies.length > fresh.length * RATIO)) break;
    layers.pop();
    fresh = [...last.policies.filter((policy) => !gone.delete(policy)), ...fresh];
  }
  return { layers: fresh.length > 0 ? [...layers, createLayer(fresh)] : layers, gone };
}

export function viewOf({ policies, needed, views }: PolicyLayer, seen: Seen): View {
  const known = views.get(seen & needed);
  if (known) return known;
  const made = createView(policies, seen & needed);
  views.set(seen & needed, made);
  return made;
}

function createLayer(policies: readonly CompiledPolicy[]): PolicyLayer {
  const sorted = policies.toSorted((a, b) => (a.ref < b.ref ? -1 : 1));
  const needed = neededByAny(sorted);
  // Of opaque connections and of HTTP requests.
  const usual = new Set([0, needed & (HTTP | REMOTE)]);
  const views = new Map([...usual].map((seen) => [seen, createView(sorted, seen)]));
  return { policies: sorted, needed, views };
}

function createView(policies: readonly CompiledPolicy[], seen: Seen): View {
  const live = policies.filter(({ dryRun }) => !dryRun);
  const [custom, deny, allow] = (["CUSTOM", "DENY", "ALLOW"] as const).map((action) =>
    clausesOf(
      live.filter((policy) => policy.action === action),
      seen,
    ),
  );
  const observed = clausesOf(
    policies.filter((policy) => policy.dryRun || policy.action === "AUDIT"),
    seen,
  );
  const counts = [custom?.length ?? 0, deny?.length ?? 0, allow?.length ?? 0] as const;
  return {
    table: createClauseTable([custom ?? [], deny ?? [], allow ?? [], observed].flat()),
    deny: counts[0],
    allow: counts[0] + counts[1],
    observed: counts[0] + counts[1] + counts[2],
  };
}

function neededByAny(policies: readonly CompiledPolicy[]): Seen {
  let needed = 0;
  for (const { rules } of policies) for (const rule of rules) needed |= neededBy(rule);
  return needed;
}
