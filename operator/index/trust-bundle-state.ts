/** What the status of a TrustBundle is written from: how it was read, whether it is a foreign one, who holds it. */
import type { ResourceRef } from "../../core/model/resource.ts";
import type { Reason } from "../resources/fields.ts";
import type { ForeignTrust } from "../resources/trust-bundle.ts";
import type { ClusterState } from "./cluster-state.ts";
import type { HeldTrustBundle } from "./federation.ts";
import { identityOf, type PolicyState, proofsEverywhere, readingOf } from "./policy-state.ts";

export function listTrustBundleStates(state: ClusterState, nowMs: number): readonly PolicyState[] {
  return state.federation.all().map((held) => trustBundleState(state, held, nowMs));
}

function trustBundleState(
  state: ClusterState,
  { object, parsed }: HeldTrustBundle,
  nowMs: number,
): PolicyState {
  const reading = readingOf(parsed);
  const common = {
    kind: "TrustBundle",
    ...identityOf(object),
    ...reading,
    effect: "full",
    notes: [],
    proofs: [],
    uncaptured: new Map<string, number>(),
  } as const;
  if (parsed.kind === "refused") return common;
  const { trustDomain } = parsed.value;
  const { settings } = state.policies;
  if (trustDomain === settings.trustDomain) {
    const message = `${trustDomain} is the mesh's own: its roots are the CA's (docs/certificates.md)`;
    const reasons = [{ field: "spec.trustDomain", message }];
    return { ...common, accepted: false, refusal: "OwnTrustDomain", reasons, warnings: [] };
  }
  const ref: ResourceRef = { kind: "bundle", name: trustDomain };
  const aliases = settings.trustDomainAliases;
  return {
    ...common,
    warnings: [
      ...reading.warnings,
      ...aliasWarnings(trustDomain, aliases),
      ...endedRoots(parsed.value, nowMs),
      ...leftOutRoots(state.federation.leftOut(object.metadata.name), trustDomain),
    ],
    proofs: proofsEverywhere(state, ref),
  };
}

/** Meant while a mesh changes its name; anybody else must not be taken for us. */
function aliasWarnings(trustDomain: string, aliases: readonly string[]): readonly Reason[] {
  if (!aliases.includes(trustDomain)) return [];
  const message = `${trustDomain} is an alias of the mesh's own trust domain (MeshConfig): to policies its callers are ours`;
  return [{ field: "spec.trustDomain", message }];
}

function endedRoots({ roots }: ForeignTrust, nowMs: number): readonly Reason[] {
  return roots
    .filter(({ notAfterMs }) => notAfterMs < nowMs)
    .map(({ notAfterMs }) => ({
      field: "spec.roots",
      message: `one of them ended at ${new Date(notAfterMs).toISOString()}: nobody is believed by it`,
    }));
}

function leftOutRoots(count: number, trustDomain: string): readonly Reason[] {
  if (count === 0) return [];
  const message = `${count} of them do not count: all objects for ${trustDomain} have too many`;
  return [{ field: "spec.roots", message }];
}
