/** A trust bundle as nodes are sent it; its version is what a node proves that it uses. */
import type { Resource } from "../../core/model/resource.ts";
import type { TrustBundle } from "../../core/model/trust-bundle.ts";
import { contentVersion, createResource } from "./resource-version.ts";

export function compileTrustBundle(bundle: TrustBundle): Resource {
  // The order of roots has no meaning, so it must not make a version either.
  const roots = bundle.roots.toSorted((a, b) => (contentVersion(a) < contentVersion(b) ? -1 : 1));
  return createResource(bundle.trustDomain, { kind: "bundle", value: { ...bundle, roots } });
}
