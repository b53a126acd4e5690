/**
 * Which code a caller's stream is reset with because of what became of it on the other side. The application is
 * told CANCEL, whatever the caller did: nobody waits for the answer any more.
 */
import { constants } from "node:http2";

/** What says something of the call; all others say something of the connection it lay in. */
const OF_THE_CALL: ReadonlySet<number> = new Set([
  constants.NGHTTP2_REFUSED_STREAM,
  constants.NGHTTP2_CANCEL,
  constants.NGHTTP2_ENHANCE_YOUR_CALM,
  constants.NGHTTP2_INADEQUATE_SECURITY,
  constants.NGHTTP2_HTTP_1_1_REQUIRED,
]);

/** To the caller, where the application has reset the stream before its answer was whole. */
export function resetToCaller(code: number): number {
  return OF_THE_CALL.has(code) ? code : constants.NGHTTP2_INTERNAL_ERROR;
}

/** A call that goes on is forbidden. gRPC maps this code, and no other, to PERMISSION_DENIED. */
export function resetToForbid(isGrpc: boolean): number {
  return isGrpc ? constants.NGHTTP2_INADEQUATE_SECURITY : constants.NGHTTP2_CANCEL;
}
