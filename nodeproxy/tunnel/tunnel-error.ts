/** Why a stream through a tunnel could not be had. `reason` is the code in logs and metrics. */
export type TunnelReason =
  /** No certificate of the source's identity, or no roots. */
  | "no_leaf"
  /** The source has as many tunnels as one pod may have. */
  | "pod_tunnels_exhausted"
  | "tunnel_connect_failed"
  | "tunnel_connect_timeout"
  | "tunnel_tls_failed"
  /** The connection ended during the handshake without a word of TLS: a peer that was killed, or its machine. */
  | "tunnel_handshake_lost"
  /** The certificate is good and another's. */
  | "tunnel_wrong_identity"
  /** The tunnel ended before the answer. */
  | "tunnel_lost"
  /** By a change of trust: one of its two ends is not to be trusted any more. */
  | "trust_withdrawn"
  /** The peer told that it did not look at the stream: it may be asked again. */
  | "tunnel_stream_refused"
  | "tunnel_answer_timeout"
  /** One end's certificate was taken back: its pod or its node is gone. */
  | "own_certificate_revoked"
  | "peer_certificate_revoked"
  /** The pod at one end is gone. */
  | "workload_gone"
  /** Answers 400, 401, 503 and whatever else is not 200. */
  | "malformed_by_peer"
  | "denied_by_peer"
  | "unreachable_at_peer"
  | "refused_by_peer";

export class TunnelError extends Error {
  override readonly name = "TunnelError";
  readonly reason: TunnelReason;

  constructor(reason: TunnelReason, message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}

export function answerReason(status: number | undefined): TunnelReason {
  switch (status ?? 0) {
    case 400:
      return "malformed_by_peer";
    case 401:
    case 403:
      return "denied_by_peer";
    case 503:
      return "unreachable_at_peer";
    default:
      return "refused_by_peer";
  }
}
