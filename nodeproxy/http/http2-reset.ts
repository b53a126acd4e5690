/**
 * Which code a caller's stream is reset with because of what became of it on the other side. The application is
 * told CANCEL, whatever the caller did: nobody waits for the answer any more.
 */
import { CODE } from "../http2/protocol.ts";

/** What says something of the call; all others say something of the connection it lay in. */
const OF_THE_CALL: ReadonlySet<number> = new Set([
  CODE.refusedStream,
  CODE.cancel,
  CODE.enhanceYourCalm,
  CODE.inadequateSecurity,
  CODE.http11Required,
]);

/** To the caller, where the application has reset the stream before its answer was whole. */
export function resetToCaller(code: number): number {
  return OF_THE_CALL.has(code) ? code : CODE.internalError;
}

/** A call that goes on is forbidden. gRPC maps this code, and no other, to PERMISSION_DENIED. */
export function resetToForbid(isGrpc: boolean): number {
  return isGrpc ? CODE.inadequateSecurity : CODE.cancel;
}
