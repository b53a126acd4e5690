/**
 * One end of a spliced connection: a TCP socket or a tunnel stream, and how each of them says the
 * three things a byte pipe must carry: bytes, the end of one direction, and the abrupt end of both.
 */
import type { Http2Stream } from "node:http2";
import { Socket } from "node:net";

/** What a duplex must be able to do to be spliced: a socket as accepted or connected, or a CONNECT stream. */
export type Side = Socket | Http2Stream;

/** Of whole tunnels, by us. */
const OWN_ENDS = [
  "trust_withdrawn",
  "own_certificate_revoked",
  "peer_certificate_revoked",
  "workload_gone",
] as const;

/** Ends both directions at once, so that the far peer sees a reset and not an orderly end. */
export function resetSide(side: Side): void {
  if (side.destroyed) return;
  if (side instanceof Socket) {
    side.resetAndDestroy();
    return;
  }
  // RFC 9113 8.5 names CONNECT_ERROR for this, but `close(code)` sends END_STREAM before RST_STREAM, which
  // the far side hands on as an orderly end. Destroying with an error sends INTERNAL_ERROR alone.
  side.destroy(new Error("connection reset"));
}

/** True where the far peer reset the stream: Node reports that as an orderly "end" as well. */
export function wasReset(side: Side): boolean {
  return !(side instanceof Socket) && Boolean(side.rstCode);
}

/** Why we ended the tunnel under it ourselves; `undefined` for whatever a peer or the network did. */
export function endedBy(side: Side): (typeof OWN_ENDS)[number] | undefined {
  const { errored } = side;
  const reason = errored !== null && "reason" in errored ? errored.reason : undefined;
  return OWN_ENDS.find((own) => own === reason);
}

/** True where the side ended in order: both directions finished and nobody reset it. */
export function endedInOrder(side: Side): boolean {
  return side.readableEnded && side.writableFinished && !wasReset(side);
}
