/** What a node proxy tells the operator about itself. Each report is whole and replaces the one before. */

export type CaptureState =
  /** The namespace is not found, or listeners, certificate or rules are not there yet. */
  | "pending"
  /** Listeners answer, the certificate is served and the rules are in place: callers may use the tunnel. */
  | "captured"
  /** The enrolment is gone; callers must leave the tunnel before the rules go. */
  | "releasing"
  /** Cannot be captured; `reason` is a stable code. */
  | "failed";

export interface CaptureReport {
  readonly uid: string;
  readonly state: CaptureState;
  /** Stable snake_case code for `pending` and `failed`, else "". */
  readonly reason: string;
  /** A sentence for people. */
  readonly message: string;
  /** Connections older than the capture, outside policy until they end. */
  readonly connectionsOutside: number;
}

export interface LeafReport {
  readonly identity: string;
  /** Hex SHA-256 of the issuer's certificate. */
  readonly issuer: string;
  /** Hex; "" where the node does not say. */
  readonly serial: string;
  /** 0 where the node does not say. */
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

/** Live tunnels, of both directions, that were made under another issuer than the one that signs now. */
export interface OlderTunnels {
  /** Hex SHA-256 of the certificate that issued the node's own leaf or the peer's. */
  readonly issuer: string;
  readonly count: number;
}

export interface NodeReport {
  readonly node: string;
  readonly version: string;
  readonly captures: readonly CaptureReport[];
  readonly leaves: readonly LeafReport[];
  /** Versions of the trust bundles in use, by trust domain. */
  readonly bundles: readonly { readonly trustDomain: string; readonly version: string }[];
  readonly olderTunnels: readonly OlderTunnels[];
}
