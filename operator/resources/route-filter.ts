/** Reads the filters of routes' rules and backends. A filter that is not known is a reason against its rule: none is skipped. */
import type {
  CorsFilter,
  HeaderChange,
  NameValue,
  PathChange,
  RedirectFilter,
} from "../../core/model/http-route.ts";
import type { Field } from "./fields.ts";
import { member, refuse } from "./fields.ts";
import {
  choiceIn,
  entriesOf,
  hasOnly,
  isToken,
  missing,
  objectIn,
  requiredText,
  textIn,
  tokenIn,
  wholeIn,
} from "./gateway-fields.ts";
import type { FilterSpec, RouteKind } from "./route.ts";
import { readTarget } from "./route-backend.ts";

const MEMBERS: Readonly<Record<string, string>> = {
  RequestHeaderModifier: "requestHeaderModifier",
  ResponseHeaderModifier: "responseHeaderModifier",
  RequestMirror: "requestMirror",
  ExtensionRef: "extensionRef",
  RequestRedirect: "requestRedirect",
  URLRewrite: "urlRewrite",
  CORS: "cors",
};
const GRPC_TYPES = [
  "RequestHeaderModifier",
  "ResponseHeaderModifier",
  "RequestMirror",
  "ExtensionRef",
];
// What frames a message is the proxy's: a field of these would let a request mean two things.
const FRAMING = new Set([
  "connection",
  "content-length",
  "keep-alive",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);
const MAX_INT32 = 0x7fff_ffff;
const STATUS_CODES = [301, 302, 303, 307, 308];
// PreciseHostname.
const HOSTNAME = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
// HTTPCORSFilter.allowOrigins, its pattern made simpler: a scheme and a host, which may hold "*".
const ORIGIN = /^(?:\*|[a-z][a-z0-9+.-]*:\/\/[A-Za-z0-9.*_[\]:-]+)$/;

export function readFilters(
  parent: Field,
  { kind, namespace }: { readonly kind: RouteKind; readonly namespace: string },
): readonly FilterSpec[] {
  return entriesOf(parent, "filters").flatMap((field) => {
    const type = textIn(field, "type");
    const name = Object.hasOwn(MEMBERS, type) ? MEMBERS[type] : undefined;
    const isKnown = kind === "HTTPRoute" || GRPC_TYPES.includes(type);
    if (name === undefined || !isKnown) {
      refuse(missing(field, "type"), `${type} is not supported`);
      return [];
    }
    if (!hasOnly(field, ["type", name])) return [];
    const settings = member(field, name) ?? refuse(missing(field, name), "must be given");
    const filter = settings && readFilter(type, settings, namespace);
    return filter ? [filter] : [];
  });
}

/** Why these filters cannot stand together; `undefined`: they can. */
export function incompatibility(filters: readonly FilterSpec[]): string | undefined {
  const kinds = filters.map(({ kind }) => kind).filter((kind) => !isRepeatable(kind));
  const twice = kinds.find((kind, i) => kinds.indexOf(kind) !== i);
  if (twice !== undefined) return `filter ${twice} is there twice`;
  const isBoth = kinds.includes("redirect") && kinds.includes("rewrite");
  return isBoth ? "RequestRedirect and URLRewrite exclude each other" : undefined;
}

function isRepeatable(kind: FilterSpec["kind"]): boolean {
  return kind === "mirror" || kind === "extension";
}

function readFilter(type: string, field: Field, namespace: string): FilterSpec | undefined {
  switch (type) {
    case "RequestHeaderModifier":
      return readHeaderChange(field, "requestHeaders");
    case "ResponseHeaderModifier":
      return readHeaderChange(field, "responseHeaders");
    case "RequestMirror":
      return readMirror(field, namespace);
    case "RequestRedirect":
      return readRedirect(field);
    case "URLRewrite":
      return readRewrite(field);
    case "CORS":
      return readCors(field);
    default: {
      const what = `${textIn(field, "kind")}.${textIn(field, "group")} ${textIn(field, "name")}`;
      return { kind: "extension", field: field.path, what };
    }
  }
}

function readHeaderChange(field: Field, kind: HeaderChange["kind"]): HeaderChange | undefined {
  if (!hasOnly(field, ["set", "add", "remove"])) return undefined;
  const set = readPairs(field, "set");
  const add = readPairs(field, "add");
  const remove = readNames(field, "remove");
  const named = [...[...set, ...add].map(([name]) => name), ...remove];
  const names = named.map((name) => name.toLowerCase());
  // "Filters specifying multiple actions of the same or different type for any one header name are invalid."
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) refuse(field, `${twice} is there twice`);
  for (const name of names) if (FRAMING.has(name)) refuse(field, `${name} cannot be changed`);
  // The host is the request's authority: it can be another one, and no more than that.
  const isHost = [...add.map(([name]) => name), ...remove].some((name) => /^host$/i.test(name));
  if (isHost) refuse(field, "host can be set only");
  return { kind, set, add, remove };
}

/** "the first entry with an equivalent name MUST be considered …. Subsequent entries … MUST be ignored." */
function readPairs(parent: Field, name: string): readonly NameValue[] {
  const pairs = new Map<string, NameValue>();
  for (const field of entriesOf(parent, name)) {
    if (!hasOnly(field, ["name", "value"])) continue;
    const header = tokenIn(field, "name");
    const value = requiredText(field, "value");
    if (!/^[\t\x20-\x7e]*$/.test(value)) refuse(missing(field, "value"), "must be printable ASCII");
    const key = header.toLowerCase();
    if (!pairs.has(key)) pairs.set(key, [header, value]);
  }
  return [...pairs.values()];
}

/** Tokens; "*" is one. */
function readNames(parent: Field, name: string): readonly string[] {
  return entriesOf(parent, name).flatMap((field) => {
    if (typeof field.value === "string" && isToken(field.value)) return [field.value];
    refuse(field, "must be a valid name");
    return [];
  });
}

function readMirror(field: Field, namespace: string): FilterSpec | undefined {
  if (!hasOnly(field, ["backendRef", "percent", "fraction"])) return undefined;
  const backend =
    member(field, "backendRef") ?? refuse(missing(field, "backendRef"), "must be given");
  const target = backend && readTarget(backend, namespace);
  if (!target) return undefined;
  const fraction = objectIn(field, "fraction", ["numerator", "denominator"]);
  const percent = wholeIn(field, "percent", { least: 0, most: 100, fallback: 100 });
  if (!fraction) return { kind: "mirror", target, numerator: percent, denominator: 100 };
  if (member(field, "percent")) refuse(field, "percent and fraction exclude each other");
  const range = { least: 0, most: MAX_INT32, fallback: 0 };
  const numerator = wholeIn(fraction, "numerator", range);
  const denominator = wholeIn(fraction, "denominator", { ...range, least: 1, fallback: 100 });
  if (numerator > denominator) refuse(fraction, "must not be more than one");
  return { kind: "mirror", target, numerator, denominator };
}

function readRedirect(field: Field): RedirectFilter | undefined {
  if (!hasOnly(field, ["scheme", "hostname", "path", "port", "statusCode"])) return undefined;
  const choice = { allowed: ["http", "https", ""] as const, fallback: "" as const };
  const status = wholeIn(field, "statusCode", { least: 300, most: 399, fallback: 302 });
  if (!STATUS_CODES.includes(status))
    refuse(missing(field, "statusCode"), `${status} is not supported`);
  return {
    kind: "redirect",
    scheme: choiceIn(field, "scheme", choice),
    hostname: readHostname(field),
    port: wholeIn(field, "port", { least: 1, most: 65_535, fallback: 0 }),
    path: readPathChange(field),
    status,
  };
}

function readRewrite(field: Field): FilterSpec | undefined {
  if (!hasOnly(field, ["hostname", "path"])) return undefined;
  return { kind: "rewrite", hostname: readHostname(field), path: readPathChange(field) };
}

function readHostname(field: Field): string {
  const hostname = textIn(field, "hostname");
  if (hostname !== "" && !HOSTNAME.test(hostname)) {
    refuse(missing(field, "hostname"), "must be a host name in lower case");
  }
  return hostname;
}

function readPathChange(parent: Field): PathChange | undefined {
  const field = objectIn(parent, "path", ["type", "replaceFullPath", "replacePrefixMatch"]);
  if (!field) return undefined;
  const allowed = ["ReplaceFullPath", "ReplacePrefixMatch"] as const;
  const type = choiceIn(field, "type", { allowed, fallback: "ReplaceFullPath" });
  const isPrefix = type === "ReplacePrefixMatch";
  const value = textIn(field, isPrefix ? "replacePrefixMatch" : "replaceFullPath");
  // It becomes a part of the request line or of Location.
  if (!/^[\x21-\x7e]*$/.test(value)) refuse(field, "must be printable ASCII without spaces");
  return { kind: isPrefix ? "prefix" : "full", value };
}

function readCors(field: Field): CorsFilter | undefined {
  const known = [
    "allowOrigins",
    "allowCredentials",
    "allowMethods",
    "allowHeaders",
    "exposeHeaders",
    "maxAge",
  ];
  if (!hasOnly(field, known)) return undefined;
  const origins = entriesOf(field, "allowOrigins").flatMap((origin) => {
    if (typeof origin.value === "string" && ORIGIN.test(origin.value)) return [origin.value];
    refuse(origin, "must be an origin, as https://shop.example");
    return [];
  });
  const credentials = member(field, "allowCredentials")?.value ?? false;
  if (typeof credentials !== "boolean")
    refuse(missing(field, "allowCredentials"), "must be a boolean");
  return {
    kind: "cors",
    origins,
    credentials: credentials === true,
    methods: readNames(field, "allowMethods"),
    requestHeaders: readNames(field, "allowHeaders"),
    exposeHeaders: readNames(field, "exposeHeaders"),
    maxAgeSeconds: wholeIn(field, "maxAge", { least: 1, most: MAX_INT32, fallback: 5 }),
  };
}
