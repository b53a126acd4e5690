/**
 * The bundles by which peers are judged: those that there are, and the mesh's own once more for each alias of its
 * trust domain. An alias with a bundle of its own is vouched for by that one alone.
 */
import type { MeshSettings } from "../../core/model/mesh-settings.ts";
import type { TrustBundle } from "../../core/model/trust-bundle.ts";

export type MeshNames = Pick<MeshSettings, "trustDomain" | "trustDomainAliases">;

export function vouchersOf(
  bundles: readonly TrustBundle[],
  names: MeshNames | undefined,
): readonly TrustBundle[] {
  const own = names && bundles.find(({ trustDomain }) => trustDomain === names.trustDomain);
  if (!own) return bundles;
  const known = new Set(bundles.map(({ trustDomain }) => trustDomain));
  const aliases = names.trustDomainAliases.filter((alias) => !known.has(alias));
  return [...bundles, ...aliases.map((trustDomain) => ({ ...own, trustDomain }))];
}
