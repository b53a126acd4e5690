/** A response's field lines as the framer gives them: its status, and what of it goes on to the caller. */
import type { FieldLines, GateAnswer, ResponseHead } from "./message.ts";
import { NEVER_TRAILERS } from "./never-trailers.ts";

type Passed = Extract<GateAnswer, { readonly kind: "pass" }>;

/** In an answer or in trailers: connection-specific, RFC 9113 8.2.2; from a server most of them end its answer. */
export const NOT_SENT: ReadonlySet<string> = new Set([
  "connection",
  "http2-settings",
  "keep-alive",
  "proxy-connection",
  "te",
  "transfer-encoding",
  "upgrade",
]);

export class Http2Response implements ResponseHead {
  readonly status: number;
  /** With `:status`. */
  readonly fields: string[];

  constructor(status: number, fields: string[]) {
    this.status = status;
    this.fields = fields;
  }

  /** RFC 9110 6.4.1, and 15.3.6: "a server MUST NOT generate content in a 205 response". */
  get hasNoContent(): boolean {
    const { status } = this;
    return status === 204 || status === 205 || status === 304;
  }
}

/** As whoever let its request pass wants it. */
export function changedResponse(
  response: Http2Response,
  { way, fields: added = [] }: Pick<Passed, "way" | "fields"> = {},
): Http2Response {
  const change = way?.changeResponse;
  if (!change) {
    if (added.length === 0) return response;
    return new Http2Response(response.status, [...response.fields, ...added]);
  }
  const { status, fields } = response;
  const plain = fields.filter((_, i) => fields[i - (i % 2)] !== ":status");
  const changed = change({ status, fields: plain });
  return responseOf([":status", `${changed.status}`, ...changed.fields, ...added]);
}

/** As they come, and of them what trailers may say; in requests less. */
export function trailersOf(lines: FieldLines, isRequest: boolean): FieldLines {
  const sent: string[] = [];
  for (let i = 0; i < lines.length; i += 2) {
    const name = lines[i] ?? "";
    if (NOT_SENT.has(name) || (isRequest && NEVER_TRAILERS.has(name))) continue;
    sent.push(name, lines[i + 1] ?? "");
  }
  return sent;
}

export function responseOf(lines: FieldLines): Http2Response {
  const sent: string[] = [];
  let status = 0;
  for (let i = 0; i < lines.length; i += 2) {
    const name = lines[i] ?? "";
    const value = lines[i + 1] ?? "";
    if (name === ":status") status = Number(value);
    if (!NOT_SENT.has(name)) sent.push(name, value);
  }
  return new Http2Response(status, sent);
}
