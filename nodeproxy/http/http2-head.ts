/**
 * A request's field lines as the framer gives them, and the head that the gate judges: both ways.
 *
 * The framer has refused what is malformed (RFC 9113 8.1.1, 8.2, 8.3: order and number of pseudo fields, upper case,
 * connection-specific fields, content-length against DATA). Here is refused what two readers could read in two ways.
 */
import type { RequestFields } from "../http2/request-fields.ts";
import type { FieldLines, RequestHead } from "./message.ts";

export type HeadFault =
  | "http_connect_refused"
  | "http_scheme_refused"
  | "http_authority_refused"
  | "http_host_differs"
  | "http_path_refused"
  | "http_field_refused"
  | "http_fields_too_many";

export type ParsedHead =
  | { readonly kind: "head"; readonly head: RequestHead }
  | { readonly kind: "refuse"; readonly fault: HeadFault; readonly status: number };

/** host:port, IPv4:port or [IPv6]:port. RFC 9113 8.3.1: no userinfo. */
const AUTHORITY = /^(?:[A-Za-z0-9._~!$&'()*+,;=%-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{0,5})?$/;
/** RFC 3986 3.3 and 3.4, and what browsers leave as it is; no "#", nothing but visible ASCII. */
const TARGET = /^\/[!"$-~]*$/;

/** What of a head says where it goes. */
interface Target {
  method: string;
  scheme: string;
  authority: string | undefined;
  path: string;
  host: string | undefined;
}

/**
 * What of a request is malformed beyond what every message of HTTP/2 has to keep to: RFC 9113 8.3.1 of `:path` and of
 * `:authority`, RFC 9110 7.2 of Host. Its stream is reset.
 */
export function isHttpRequest(request: RequestFields, fields: FieldLines): boolean {
  const { method, authority, path = "" } = request;
  if (method === "CONNECT") return true;
  if (!PATH.test(path) && !(path === "*" && method === "OPTIONS")) return false;
  let hosts = 0;
  for (let i = 0; i < fields.length; i += 2) {
    if (fields[i] === "host" && fields[i + 1] !== "") hosts += 1;
  }
  return hosts === 1 || (hosts === 0 && authority !== undefined);
}

/** No blanks, no control characters; not yet what of it is ambiguous. */
const PATH = /^\/[!-~\x80-\xff]*$/;

export function parseHttp2Head(lines: FieldLines, maxFields: number): ParsedHead {
  const target: Target = {
    method: "",
    scheme: "",
    authority: undefined,
    path: "",
    host: undefined,
  };
  const fields: string[] = [];
  for (let i = 0; i < lines.length; i += 2) {
    const name = lines[i] ?? "";
    const value = lines[i + 1] ?? "";
    if (!takeTarget(target, name, value)) takeField(fields, name, value);
  }
  target.authority ??= target.host;
  const fault = faultOf(target) ?? fieldFault(fields, maxFields);
  if (fault) return { kind: "refuse", fault, status: STATUSES[fault] };
  return { kind: "head", head: headOf(target, fields) };
}

const STATUSES: Readonly<Record<HeadFault, number>> = {
  http_connect_refused: 405,
  http_scheme_refused: 400,
  http_authority_refused: 400,
  http_host_differs: 400,
  http_path_refused: 400,
  http_field_refused: 400,
  http_fields_too_many: 431,
};

/** False: it is a field as all others. */
function takeTarget(target: Target, name: string, value: string): boolean {
  if (name === ":method") target.method = value;
  else if (name === ":scheme") target.scheme = value;
  else if (name === ":authority") target.authority = value;
  else if (name === ":path") target.path = value;
  else if (name === "host") target.host = value;
  else return false;
  return true;
}

/** RFC 9113 8.2.3: "MUST be concatenated into a single octet string using the two-octet delimiter of 0x3b, 0x20". */
function takeField(fields: string[], name: string, value: string): void {
  const isCookie = name === "cookie";
  const at = isCookie ? fields.findIndex((text, i) => i % 2 === 0 && text === name) : -1;
  if (at < 0) fields.push(name, value);
  else fields[at + 1] += `; ${value}`;
}

function faultOf({ method, scheme, authority = "", path, host }: Target): HeadFault | undefined {
  if (method === "CONNECT") return "http_connect_refused";
  if (scheme !== "http" && scheme !== "https") return "http_scheme_refused";
  // RFC 9113 8.3.1: "A server SHOULD treat a request as malformed if it contains a Host header field that identifies
  // an entity that differs from the entity in the ':authority'".
  if (host !== undefined && host.toLowerCase() !== authority.toLowerCase()) {
    return "http_host_differs";
  }
  if (!AUTHORITY.test(authority)) return "http_authority_refused";
  if (!TARGET.test(path) && !(path === "*" && method === "OPTIONS")) return "http_path_refused";
  return undefined;
}

function fieldFault(fields: FieldLines, maxFields: number): HeadFault | undefined {
  // Connection-specific too, RFC 7540 3.2.1.
  if (fields.some((text, at) => at % 2 === 0 && text === "http2-settings")) {
    return "http_field_refused";
  }
  return fields.length > 2 * maxFields ? "http_fields_too_many" : undefined;
}

function headOf({ method, scheme, authority = "", path }: Target, fields: FieldLines): RequestHead {
  const at = path.indexOf("?");
  return {
    method,
    scheme,
    authority,
    path: at < 0 ? path : path.slice(0, at),
    query: at < 0 ? "" : path.slice(at),
    fields,
    upgrade: "",
    version: "2",
  };
}

/** What goes to the application: `:authority` speaks for `host`, which HTTP/1.0 need not say. */
export function linesOf({ method, scheme, authority, path, query, fields }: RequestHead): string[] {
  const named = authority === "" ? [] : [":authority", authority];
  return [":method", method, ":scheme", scheme, ...named, ":path", path + query, ...fields];
}

export function fieldOf(fields: FieldLines, name: string): string | undefined {
  for (let i = 0; i < fields.length; i += 2) if (fields[i] === name) return fields[i + 1];
  return undefined;
}
