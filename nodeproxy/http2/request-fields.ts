/**
 * What the fields of a request or an answer say, and whether HTTP/2 lets them say it (RFC 9113 8.2, 8.3, 8.5).
 *
 * Pure. `undefined` for a malformed message: a stream error PROTOCOL_ERROR, which is not the connection's end.
 * Who may be called is not asked here.
 */
export interface RequestFields {
  readonly method: string;
  readonly authority: string | undefined;
  readonly path: string | undefined;
  readonly scheme: string | undefined;
  /** Octets announced; never for CONNECT, which has no content (RFC 9110 9.3.6). */
  readonly contentLength: number | undefined;
}

export interface AnswerFields {
  /** 100 to 999. */
  readonly status: number;
  readonly contentLength: number | undefined;
}

/** RFC 9110 5.6.2, and lower case by RFC 9113 8.2.1. */
const NAME = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/;
/** RFC 9110 9.1: a token, of either case. */
const METHOD = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
/** RFC 9113 8.2.1: no NUL, LF, CR, and no white space at either end. */
// oxlint-disable-next-line no-control-regex
const BAD_VALUE = /[\0\n\r]|^[\t ]|[\t ]$/;
/** RFC 3986 3.2 without user info, which RFC 9113 8.3.1 forbids. */
const AUTHORITY = /^[A-Za-z0-9\-._~!$&'()*+,;=:%[\]]+$/;
/** RFC 9113 8.2.2. */
const CONNECTION_SPECIFIC: ReadonlySet<string> = new Set([
  "connection",
  "proxy-connection",
  "keep-alive",
  "transfer-encoding",
  "upgrade",
]);
const COLON = 0x3a;

/** Pseudo-header fields, and `content-length` where there is one. */
interface Found {
  ":method": string | undefined;
  ":authority": string | undefined;
  ":path": string | undefined;
  ":scheme": string | undefined;
  ":status": string | undefined;
  length: string | undefined;
}

export function readRequest(fields: readonly string[]): RequestFields | undefined {
  const found = readFields(fields, "request");
  const method = found?.[":method"];
  if (!found || !method || !METHOD.test(method)) return undefined;
  const { ":authority": authority, ":path": path, ":scheme": scheme, length } = found;
  if (authority !== undefined && !AUTHORITY.test(authority)) return undefined;
  if (method === "CONNECT") return connectOf(found);
  const contentLength = readContentLength(length);
  if (!path || !scheme || contentLength === "malformed") return undefined;
  return { method, authority, path, scheme, contentLength };
}

/** RFC 9113 8.5: "The ":scheme" and ":path" pseudo-header fields MUST be omitted", ":authority" must not. */
function connectOf({
  ":authority": authority,
  ":path": path,
  ":scheme": scheme,
}: Found): RequestFields | undefined {
  if (authority === undefined || path !== undefined || scheme !== undefined) return undefined;
  return { method: "CONNECT", authority, path, scheme, contentLength: undefined };
}

export function readAnswer(fields: readonly string[]): AnswerFields | undefined {
  const found = readFields(fields, "answer");
  const status = found?.[":status"] ?? "";
  const contentLength = readContentLength(found?.length);
  if (!/^[1-9][0-9]{2}$/.test(status) || contentLength === "malformed") return undefined;
  return { status: Number(status), contentLength };
}

/** RFC 9113 8.1: trailers have no pseudo-header fields. */
export function areTrailers(fields: readonly string[]): boolean {
  return readFields(fields, "trailers") !== undefined;
}

/** Whether a field can be said at all, of whatever message; not whether what it says may be. */
export function isField(name: string, value: string): boolean {
  return isRegularField(name, value) && !BAD_VALUE.test(value) && !WIDE.test(value);
}

/** No octet. */
const WIDE = /[^\0-\xff]/;

type Kind = "request" | "answer" | "trailers";

function readFields(fields: readonly string[], kind: Kind): Found | undefined {
  const found: Found = {
    ":method": undefined,
    ":authority": undefined,
    ":path": undefined,
    ":scheme": undefined,
    ":status": undefined,
    length: undefined,
  };
  let isRegular = false;
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i] ?? "";
    const value = fields[i + 1] ?? "";
    if (BAD_VALUE.test(value)) return undefined;
    if (name.charCodeAt(0) === COLON) {
      // RFC 9113 8.3: before all others, known, each once.
      if (isRegular || !isPseudo(name, kind) || found[name] !== undefined) return undefined;
      found[name] = value;
      continue;
    }
    isRegular = true;
    if (!isRegularField(name, value)) return undefined;
    // RFC 9110 8.6: twice and different is invalid, which no number stands for.
    if (name === "content-length") found.length = found.length === undefined ? value : "twice";
  }
  return found;
}

function isPseudo(name: string, kind: Kind): name is Exclude<keyof Found, "length"> {
  switch (name) {
    case ":method":
    case ":authority":
    case ":path":
    case ":scheme":
      return kind === "request";
    case ":status":
      return kind === "answer";
    default:
      return false;
  }
}

function isRegularField(name: string, value: string): boolean {
  if (!NAME.test(name) || CONNECTION_SPECIFIC.has(name)) return false;
  return name !== "te" || value === "trailers";
}

function readContentLength(text: string | undefined): number | undefined | "malformed" {
  if (text === undefined) return undefined;
  return /^[0-9]{1,15}$/.test(text) ? Number(text) : "malformed";
}
