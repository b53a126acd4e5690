/** One connection as authorization sees it, and the forms of its caller's identity that policies are held against. */

export interface Attempt {
  /** What the TLS layer proved about the caller; absent for plaintext. */
  readonly peer?: Peer;
  /** The direct peer, never what a header claims; bytes as `ipBytes()` gives them. */
  readonly sourceIp: readonly number[];
  readonly destinationIp: readonly number[];
  /** The workload's own port, never the Service's or the tunnel's. */
  readonly destinationPort: number;
}

export interface Peer {
  readonly trustDomain: string;
  readonly namespace: string;
  readonly serviceAccount: string;
}

/** An attempt with the texts that matchers compare, made once for all policies. */
export interface Subject {
  readonly attempt: Attempt;
  /** The peer's namespace; empty for plaintext. */
  readonly namespaces: readonly string[];
  /** The peer's trust domain and, if it is the mesh's, all its aliases. Empty for plaintext. */
  readonly trustDomains: readonly string[];
  /** One principal for each of `trustDomains`, same order. */
  readonly principals: readonly string[];
}

/** `meshDomains`: the mesh's trust domain and its aliases, which all mean the same callers. */
export function subjectOf(attempt: Attempt, meshDomains: readonly string[]): Subject {
  const { peer } = attempt;
  if (!peer) return { attempt, namespaces: [], trustDomains: [], principals: [] };
  const trustDomains = meshDomains.includes(peer.trustDomain) ? meshDomains : [peer.trustDomain];
  const path = `/ns/${peer.namespace}/sa/${peer.serviceAccount}`;
  return {
    attempt,
    namespaces: [peer.namespace],
    trustDomains,
    principals: trustDomains.map((domain) => domain + path),
  };
}
