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

type ReadFields = Omit<RequestFields, "contentLength">;

/** RFC 9110 5.6.2, and lower case by RFC 9113 8.2.1. */
const NAME = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/;
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
const REQUEST_PSEUDO: ReadonlySet<string> = new Set([":method", ":authority", ":path", ":scheme"]);
const ANSWER_PSEUDO: ReadonlySet<string> = new Set([":status"]);
const NO_PSEUDO: ReadonlySet<string> = new Set();

export function readRequest(fields: readonly string[]): RequestFields | undefined {
  const pseudo = readFields(fields, REQUEST_PSEUDO);
  const method = pseudo?.get(":method");
  if (!pseudo || method === undefined || method === "") return undefined;
  const authority = pseudo.get(":authority");
  const path = pseudo.get(":path");
  const scheme = pseudo.get(":scheme");
  if (authority !== undefined && !AUTHORITY.test(authority)) return undefined;
  const contentLength = readContentLength(pseudo.get("content-length"));
  const request = { method, authority, path, scheme, contentLength };
  if (method === "CONNECT") return connectOf(request);
  return path && scheme && contentLength !== "malformed"
    ? { ...request, contentLength }
    : undefined;
}

/** RFC 9113 8.5: "The ":scheme" and ":path" pseudo-header fields MUST be omitted", ":authority" must not. */
function connectOf({ method, authority, path, scheme }: ReadFields): RequestFields | undefined {
  if (authority === undefined || path !== undefined || scheme !== undefined) return undefined;
  return { method, authority, path, scheme, contentLength: undefined };
}

/** Of an answer. 100 to 999. */
export function readStatus(fields: readonly string[]): number | undefined {
  const status = readFields(fields, ANSWER_PSEUDO)?.get(":status") ?? "";
  return /^[1-9][0-9]{2}$/.test(status) ? Number(status) : undefined;
}

/** RFC 9113 8.1: trailers have no pseudo-header fields. */
export function areTrailers(fields: readonly string[]): boolean {
  return readFields(fields, NO_PSEUDO) !== undefined;
}

/** Pseudo-header fields, and `content-length` where there is one. */
function readFields(
  fields: readonly string[],
  known: ReadonlySet<string>,
): Map<string, string> | undefined {
  const found = new Map<string, string>();
  let isRegular = false;
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i] ?? "";
    const value = fields[i + 1] ?? "";
    if (BAD_VALUE.test(value)) return undefined;
    if (name.startsWith(":")) {
      // RFC 9113 8.3: before all others, known, each once.
      if (isRegular || !known.has(name) || found.has(name)) return undefined;
      found.set(name, value);
      continue;
    }
    isRegular = true;
    if (!isRegularField(name, value)) return undefined;
    // RFC 9110 8.6: twice and different is invalid, which no number stands for.
    if (name === "content-length") found.set(name, found.has(name) ? "twice" : value);
  }
  return found;
}

function isRegularField(name: string, value: string): boolean {
  if (!NAME.test(name) || CONNECTION_SPECIFIC.has(name)) return false;
  return name !== "te" || value === "trailers";
}

function readContentLength(text: string | undefined): number | undefined | "malformed" {
  if (text === undefined) return undefined;
  return /^[0-9]{1,15}$/.test(text) ? Number(text) : "malformed";
}
