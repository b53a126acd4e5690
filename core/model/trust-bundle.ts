/** The roots by which certificates of one trust domain are verified. A versioned resource: rotation is a change of it. */
export interface TrustBundle {
  readonly trustDomain: string;
  /** DER certificates, order without meaning. */
  readonly roots: readonly Uint8Array[];
}
