/** What the parser found wrong with a head, as an answer and a stable code: the one place that reads its words. */
import { BARE_LINE_END, TOO_LARGE, TOO_MANY_LINES } from "./http1-head-reader.ts";
import type { BadRequest } from "./http1-request.ts";
import type { ParseFailure } from "./llhttp.ts";

const REASONS: ReadonlyMap<string, string> = new Map([
  [BARE_LINE_END, "line_end_invalid"],
  ["HPE_CR_EXPECTED", "line_end_invalid"],
  ["HPE_LF_EXPECTED", "line_end_invalid"],
  ["HPE_STRICT", "line_end_invalid"],
  ["HPE_UNEXPECTED_SPACE", "field_folded"],
  ["HPE_INVALID_HEADER_TOKEN", "field_invalid"],
  ["HPE_INVALID_CONTENT_LENGTH", "content_length_invalid"],
  ["HPE_UNEXPECTED_CONTENT_LENGTH", "content_length_duplicate"],
  ["HPE_INVALID_TRANSFER_ENCODING", "transfer_encoding_invalid"],
  ["HPE_INVALID_URL", "target_invalid"],
  ["HPE_PAUSED_H2_UPGRADE", "http2_preface"],
]);

/** `start`: the first octets of what it failed at. */
export function badHead({ code, words }: ParseFailure, start: Buffer): BadRequest {
  if (code === TOO_LARGE) return bad("head_too_large", 431);
  if (code === TOO_MANY_LINES) return bad("fields_too_many", 431);
  // Said of a line end behind the version as well.
  if (code === "HPE_INVALID_VERSION" && words === "Invalid HTTP version") {
    return bad("version_unsupported", 505);
  }
  if (code === "HPE_INVALID_METHOD" && isOtherMethod(start)) return bad("method_unknown", 501);
  if (/can't be present with/.test(words)) return bad("content_length_with_transfer_encoding", 400);
  if (/whitespace after header value/.test(words)) return bad("field_folded", 400);
  return bad(REASONS.get(code) ?? "request_malformed", 400);
}

/** A token, as RFC 9110 9.1 has it, of which the parser knows nothing. */
function isOtherMethod(start: Buffer): boolean {
  return /^[\w!#$%&'*+.^`|~-]{1,32} [/*h]/.test(start.toString("latin1", 0, 40));
}

function bad(reason: string, status: number): BadRequest {
  return { kind: "bad", status, reason };
}
