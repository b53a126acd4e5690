/**
 * Which CA certificates do trust bundles not trust any more, wherever they lead? Asked by all who verify a chain;
 * who vouches for whom is theirs.
 */
import type { TrustBundle } from "../model/trust-bundle.ts";
import { certificateFingerprint } from "./fingerprint.ts";
import { fingerprintForms } from "./fingerprint-forms.ts";
import { parseCertificate } from "./parse-certificate.ts";

/**
 * Is one of these CA certificates retired, in whatever form it is shown? `authorities`: DER, a chain without its leaf.
 * Costs nothing as long as no bundle retires any.
 */
export function hasRetired(
  authorities: readonly Uint8Array[],
  bundles: readonly TrustBundle[],
): boolean {
  const retired = retiredOf(bundles);
  return retired.size > 0 && authorities.some((der) => isRetired(der, retired));
}

/** Roots of these bundles, in order, without the retired. For one domain the caller hands in its bundles only, and all for `among`. */
export function trustedRoots(
  bundles: readonly TrustBundle[],
  among: readonly TrustBundle[] = bundles,
): readonly Uint8Array[] {
  const roots = [...new Set(bundles.flatMap((bundle) => bundle.roots))];
  const retired = retiredOf(among);
  if (retired.size === 0) return roots;
  return roots.filter((der) => !retired.has(certificateFingerprint(der)));
}

function retiredOf(bundles: readonly TrustBundle[]): ReadonlySet<string> {
  return new Set(bundles.flatMap(({ retired }) => retired));
}

/** What cannot be read cannot be told from a retired one, so it counts as one. */
function isRetired(der: Uint8Array, retired: ReadonlySet<string>): boolean {
  const parsed = parseCertificate(der);
  if (parsed.kind === "malformed") return true;
  return fingerprintForms(parsed.certificate).some((fingerprint) => retired.has(fingerprint));
}
