/** Why an HTTP/2 connection cannot go on. `reason` is the code in our log, `code` what GOAWAY tells the peer. */
import { CODE } from "./protocol.ts";

export type Http2Reason =
  /** The peer broke RFC 9113 or RFC 7541. */
  | "http2_protocol_error"
  /** The peer kept to the letter, and sent more than any honest one does. */
  | "http2_flood"
  /** A head that began, or the first SETTINGS, did not come in time. */
  | "http_head_timeout"
  /** The transport ended under it. */
  | "lost";

export class Http2Error extends Error {
  override readonly name = "Http2Error";
  readonly reason: Http2Reason;
  /** RFC 9113 7. */
  readonly code: number;

  constructor(reason: Http2Reason, code: number, message: string) {
    super(message);
    this.reason = reason;
    this.code = code;
  }
}

export function protocolError(message: string, code: number = CODE.protocolError): Http2Error {
  return new Http2Error("http2_protocol_error", code, message);
}

export function flood(message: string): Http2Error {
  return new Http2Error("http2_flood", CODE.enhanceYourCalm, message);
}
