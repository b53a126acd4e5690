/**
 * The identity in the operator's own server certificate. Node proxies demand exactly it; the certificate
 * service never issues it, whatever pod asks.
 */
import type { SpiffeId } from "./spiffe-id.ts";

const NAMESPACE = "weft-system";
const SERVICE_ACCOUNT = "weft-operator";

export function operatorIdentity(trustDomain: string): SpiffeId {
  return { trustDomain, namespace: NAMESPACE, serviceAccount: SERVICE_ACCOUNT };
}
