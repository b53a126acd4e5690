/**
 * One request as policy sees it and as the workload will: the same. Pure.
 *
 * What servers read in different ways is refused here, once for all versions of HTTP; what callers must not say of
 * themselves is taken away. Never asks who may do what.
 */
import { FRAMING_FIELDS } from "../../../core/model/framing-fields.ts";
import type { HttpFacts } from "../../authz/attempt.ts";
import type { FieldLines, RequestHead } from "../message.ts";
import { changeFields, keepFields } from "./change-fields.ts";
import { foldName } from "./field-name.ts";
import { FieldTable } from "./field-table.ts";
import { normalisePath, type PathRefusal } from "./normalise-path.ts";
import { isAuthority } from "./read-authority.ts";
import { remoteAddress } from "./remote-address.ts";

export type RequestRefusal =
  | PathRefusal
  /** None that RFC 9110 has room for, or one in lower case: servers differ in whether they see it. */
  | "method_malformed"
  | "query_malformed"
  | "scheme_unknown"
  | "host_missing"
  | "host_malformed"
  /** Says something else than the request's own authority. */
  | "host_differs"
  /** `content_length` and its like: some servers take them for the field that frames the message. */
  | "field_name_confusing"
  /** A control in a name or a value. */
  | "field_malformed";

/** What is known of the connection that the request came over. */
export interface RequestEnds {
  readonly sourceIp: readonly number[];
  /** `spiffe://…` as proven, "" for plaintext. */
  readonly caller: string;
  /** `spiffe://…` of the workload. */
  readonly own: string;
  /** In front of the workload, by MeshConfig. */
  readonly trustedProxies: number;
}

export type ReadRequest =
  | {
      readonly kind: "request";
      /** To be forwarded, in place of what came. */
      readonly head: RequestHead;
      /** Without the claims of a token, which nobody has looked for yet. */
      readonly http: HttpFacts;
      readonly remoteIp: readonly number[];
    }
  | { readonly kind: "refused"; readonly reason: RequestRefusal };

export function readRequest(head: RequestHead, ends: RequestEnds): ReadRequest {
  const path = readPath(head);
  if (path.kind === "refused") return path;
  const reason = refusalOf(head);
  if (reason !== undefined) return { kind: "refused", reason };
  const forwarded = { ...head, path: path.path, fields: readFields(head.fields, ends) };
  const headers = new FieldTable(forwarded);
  const { authority: host } = head;
  return {
    kind: "request",
    head: forwarded,
    http: { method: methodOf(head), path: path.path, host, headers },
    remoteIp: remoteAddress({ headers, ...ends }),
  };
}

function readPath({ method, path }: RequestHead): ReturnType<typeof normalisePath> {
  // RFC 9112 3.2.4: "The asterisk-form of request-target is only used for a server-wide OPTIONS request".
  if (path === "*" && method === "OPTIONS") return { kind: "path", path };
  return normalisePath(path);
}

function refusalOf(head: RequestHead): RequestRefusal | undefined {
  const { method, query, scheme, upgrade } = head;
  // RFC 8441 4: CONNECT with ":protocol" is how HTTP/2 asks for what HTTP/1.1 asks by GET.
  if (!METHOD.test(method) || (method === "CONNECT" && upgrade === "")) return "method_malformed";
  if (!QUERY.test(query)) return "query_malformed";
  if (scheme !== "http" && scheme !== "https") return "scheme_unknown";
  return refusedHost(head) ?? refusedField(head.fields);
}

/** RFC 9110 9.1: a token. In lower case none is registered, and some servers read `get` as GET. */
const METHOD = /^[A-Z0-9!#$%&'*+.^_`|~-]{1,64}$/;
/** Printable ASCII without `#`. */
const QUERY = /^(?:\?[!-"$-~]*)?$/;
/** RFC 9110 5.6.2, in lower case. */
const FIELD_NAME = /^[a-z0-9!#$%&'*+.^_`|~-]+$/;
const LINE_ENDS = /[\0\r\n]/;

function refusedHost({ authority, version, fields }: RequestHead): RequestRefusal | undefined {
  for (let i = 0; i + 1 < fields.length; i += 2) {
    if (fields[i] === "host" && fields[i + 1] !== authority) return "host_differs";
  }
  // RFC 9112 3.2: HTTP/1.0 has requests without; they match no host of any policy.
  if (authority === "") return version === "1.0" ? undefined : "host_missing";
  return isAuthority(authority) ? undefined : "host_malformed";
}

function refusedField(fields: FieldLines): RequestRefusal | undefined {
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const name = fields[i] ?? "";
    if (!FIELD_NAME.test(name) || LINE_ENDS.test(fields[i + 1] ?? "")) return "field_malformed";
    const folded = foldName(name);
    if (folded !== name && FRAMING_FIELDS.has(folded)) return "field_name_confusing";
  }
  return undefined;
}

/** As policies name it. */
function methodOf({ method, upgrade }: RequestHead): string {
  return method === "CONNECT" && upgrade !== "" ? "GET" : method;
}

/** What proxies of a mesh say to each other, and Envoys to workloads: nobody who is not trusted may. */
const TRUSTED_ONLY: ReadonlySet<string> = new Set([
  "x-envoy-original-path",
  "x-envoy-external-address",
  "x-envoy-internal",
]);
const CERTIFICATE = "x-forwarded-client-cert";
const PROTOCOL = "x-forwarded-proto";

function readFields(fields: FieldLines, ends: RequestEnds): FieldLines {
  const isTrusted = ends.trustedProxies > 0;
  const kept = keepFields(fields, (name) => {
    const folded = foldName(name);
    if (folded === CERTIFICATE || folded === "host") return false;
    return !folded.startsWith("x-weft-") && (isTrusted || !TRUSTED_ONLY.has(folded));
  });
  const told = isTrusted ? linesOf(fields, CERTIFICATE) : [];
  const proven = ends.caller === "" ? [] : [`By=${ends.own};URI=${ends.caller}`];
  const certificates = [...told, ...proven];
  const hasProtocol = linesOf(kept, PROTOCOL).length > 0;
  return changeFields(kept, {
    remove: [],
    set: [
      ...(hasProtocol ? [] : [[PROTOCOL, "http"] as const]),
      ...(certificates.length === 0 ? [] : [[CERTIFICATE, certificates.join(",")] as const]),
    ],
  });
}

function linesOf(fields: FieldLines, name: string): readonly string[] {
  return fields.filter((_, i) => i % 2 === 1 && foldName(fields[i - 1] ?? "") === name);
}
