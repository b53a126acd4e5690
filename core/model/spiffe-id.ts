/**
 * The identity of a workload: `spiffe://<trust domain>/ns/<namespace>/sa/<service account>`.
 *
 * Parsed from certificates and written into them; both sides use this one reading, so no two parts
 * can disagree on what a name means. Never accepts a form that Weft itself would not issue.
 */
export interface SpiffeId {
  readonly trustDomain: string;
  readonly namespace: string;
  readonly serviceAccount: string;
}

// SPIFFE-ID 2.1: the trust domain is lower case letters, digits, dots, dashes and underscores.
const TRUST_DOMAIN = /^[a-z0-9._-]{1,255}$/;
// RFC 1123 label, the form of a Kubernetes namespace.
const NAMESPACE = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
// RFC 1123 subdomain, the form of a Kubernetes service account.
const SERVICE_ACCOUNT =
  /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*$/;

/** The URI, or `undefined` for anything that is not exactly of Weft's form. SPIFFE-ID 2.3: at most 2048 bytes. */
export function parseSpiffeId(uri: string): SpiffeId | undefined {
  if (uri.length > 2048 || !uri.startsWith("spiffe://")) return undefined;
  const parts = uri.slice("spiffe://".length).split("/");
  const [trustDomain, ns, namespace, sa, serviceAccount] = parts;
  if (parts.length !== 5 || ns !== "ns" || sa !== "sa") return undefined;
  if (trustDomain === undefined || namespace === undefined || serviceAccount === undefined) {
    return undefined;
  }
  const id = { trustDomain, namespace, serviceAccount };
  return isSpiffeId(id) ? id : undefined;
}

export function isSpiffeId({ trustDomain, namespace, serviceAccount }: SpiffeId): boolean {
  return (
    TRUST_DOMAIN.test(trustDomain) &&
    NAMESPACE.test(namespace) &&
    serviceAccount.length <= 253 &&
    SERVICE_ACCOUNT.test(serviceAccount)
  );
}

export function formatSpiffeId({ trustDomain, namespace, serviceAccount }: SpiffeId): string {
  return `spiffe://${trustDomain}/ns/${namespace}/sa/${serviceAccount}`;
}
