/** The roots by which certificates of one trust domain are verified. A versioned resource: rotation is a change of it. */
export interface TrustBundle {
  readonly trustDomain: string;
  /** DER certificates, order without meaning. */
  readonly roots: readonly Uint8Array[];
  /**
   * Hex SHA-256 of the certificate that signs leaves now: a node asks anew for every leaf of another one. "" where
   * that is not said, as for other trust domains.
   */
  readonly issuer: string;
  /**
   * Hex SHA-256 of CA certificates, roots and others, that are not trusted any more wherever they lead. Sorted.
   */
  readonly retired: readonly string[];
}
