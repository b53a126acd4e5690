/** A response's field lines as `node:http2` gives them: its status, and what of it goes on to the caller. */
import type { FieldLines, GateAnswer, ResponseHead } from "./message.ts";

type Passed = Extract<GateAnswer, { readonly kind: "pass" }>;

/** In an answer or in trailers: connection-specific, RFC 9113 8.2.2, and `node:http2` would throw; nghttp2 has refused most of them. */
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
  /** With `:status`, as `respond` wants them. */
  readonly fields: string[];

  constructor(status: number, fields: string[]) {
    this.status = status;
    this.fields = fields;
  }

  /** RFC 9110 6.4.1, and 205, which `node:http2` sends without content. */
  get hasNoContent(): boolean {
    const { status } = this;
    return status === 204 || status === 205 || status === 304;
  }

  /** To `additionalHeaders`. */
  asObject(): Record<string, string[] | string> {
    const object = Object.create(null) as Record<string, string[] | string>;
    const { fields } = this;
    for (let i = 0; i < fields.length; i += 2) {
      const name = fields[i] ?? "";
      const value = fields[i + 1] ?? "";
      const before = object[name];
      if (before === undefined) object[name] = value;
      else object[name] = [before, value].flat();
    }
    return object;
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
