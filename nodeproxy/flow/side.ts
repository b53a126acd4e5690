/**
 * One end of a spliced connection: a TCP socket or a tunnel stream, and how each of them says the
 * three things a byte pipe must carry: bytes, the end of one direction, and the abrupt end of both.
 */
import { Socket } from "node:net";
import type { HboneStream } from "../hbone/stream.ts";
import { pendingError } from "../sys/tcp-socket.ts";
import { descriptorOf } from "../tcp/accept.ts";
import { RawSocket } from "../tcp/raw-socket.ts";

/** A TCP connection as accepted or connected: without Node's streams, or with them. */
export type TcpSide = RawSocket | Socket;

/** What can be spliced: a TCP connection or a CONNECT stream. */
export type Side = TcpSide | HboneStream;

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
  if (side instanceof Socket) side.resetAndDestroy();
  else side.reset();
}

/** The same for what a peer on the other side did: behind the bytes that came before it, as far as they can go on now. */
export function passReset(side: Side): void {
  if (side.destroyed) return;
  if (!(side instanceof Socket)) {
    side.resetBehindData();
    return;
  }
  while (side.writableCorked > 0) side.uncork();
  side.resetAndDestroy();
}

/** The peer has reset it, and libuv will not say so: it is not read, and nothing waits to be written. */
export function isResetUnheard(side: Side): boolean {
  if (side.destroyed || !(side instanceof Socket || side instanceof RawSocket)) return false;
  const isRead = side instanceof Socket ? !side.isPaused() && !side.readableEnded : side.isReading;
  const fd = isRead ? -1 : descriptorOf(side);
  return fd >= 0 && pendingError(fd) !== 0;
}

/** Calls the listener once the side is gone. */
export function watchGone(side: Side, listener: () => void): void {
  if (side instanceof Socket) side.once("close", listener);
  else side.watchClose(listener);
}

export function unwatchGone(side: Side, listener: () => void): void {
  if (side instanceof Socket) side.off("close", listener);
  else side.watchClose(undefined);
}

/** Why we ended the tunnel under it ourselves; `undefined` for whatever a peer or the network did. */
export function endedBy(side: Side): (typeof OWN_ENDS)[number] | undefined {
  if (side instanceof Socket || side instanceof RawSocket) return undefined;
  const reason = side.line.endedBy;
  return OWN_ENDS.find((own) => own === reason);
}

/** True where the side ended in order: both directions finished and nobody reset it. */
export function endedInOrder(side: Side): boolean {
  if (side instanceof Socket) return side.readableEnded && side.writableFinished;
  return side.endedInOrder;
}
