/** Reads an HTTPRoute of the Gateway API. `compile/service-routes.ts` decides where it applies. */
import type { PathMatch, RouteRetry } from "../../core/model/http-route.ts";
import { type Field, member, refuse } from "./fields.ts";
import {
  choiceIn,
  durationIn,
  entriesOf,
  hasOnly,
  missing,
  objectIn,
  textIn,
  wholeIn,
} from "./gateway-fields.ts";
import type { KubeObject } from "./kube-object.ts";
import { integer } from "./members.ts";
import {
  type FilterSpec,
  type RankedMatch,
  type Route,
  type RulePlace,
  type RuleReading,
  readRoute,
} from "./route.ts";
import { expression, type IsExpression, readNamed } from "./route-match.ts";
import {
  filterLists,
  type RuleActions,
  readActions,
  readingOf,
  readMatches,
} from "./route-rule.ts";
import { readSession } from "./route-session.ts";

const KNOWN = [
  "name",
  "matches",
  "filters",
  "backendRefs",
  "timeouts",
  "retry",
  "sessionPersistence",
];
const METHODS = [
  "GET",
  "HEAD",
  "POST",
  "PUT",
  "DELETE",
  "CONNECT",
  "OPTIONS",
  "TRACE",
  "PATCH",
] as const;
const PATH_TYPES = ["Exact", "PathPrefix", "RegularExpression"] as const;
// The rules of HTTPPathMatch in one: characters of a path (RFC 3986 3.3), no empty and no dot segment, no hidden slash.
const PATH = /^\/(?:[-A-Za-z0-9/._~!$&'()*+,;=:@]|%[0-9a-fA-F]{2})*$/;
const AMBIGUOUS = /\/\/|\/\.\.?(?:\/|$)|%2f/i;
const MAX_PATH = 1024;
/** More would be a mistake: each costs a backend as much as the first. */
const MAX_ATTEMPTS = 1000;
/** "When this field is unspecified, the backoff strategy and base interval are implementation-specific": Envoy's. */
const DEFAULT_BACKOFF_MS = 25;

export function parseHttpRoute(object: KubeObject, isExpression: IsExpression): Route {
  return readRoute({ ...object, kind: "HTTPRoute" }, (rule, place) => {
    return readRule(rule, place, isExpression);
  });
}

function readRule(field: Field, place: RulePlace, isExpression: IsExpression): RuleReading {
  const { rule, namespace } = place;
  hasOnly(field, KNOWN);
  const matches = readMatches(field, (match) => readMatch(match, isExpression));
  const actions = readActions(field, { kind: "HTTPRoute", namespace });
  const times = readTimeouts(field);
  const retry = readRetry(field);
  const session = readSession(field, place);
  const isPrefixed = matches.every(({ match }) => match.path.kind === "prefix");
  if (!isPrefixed && filterLists(actions).flat().some(changesPrefix)) {
    // "ReplacePrefixMatch is only compatible with a PathPrefix HTTPRouteMatch."
    refuse(field, "ReplacePrefixMatch needs matches of type PathPrefix");
  }
  return readingOf(field, { rule, matches, ...actions, ...times, retry, session }, redirected);
}

function changesPrefix(filter: FilterSpec): boolean {
  const isChange = filter.kind === "rewrite" || filter.kind === "redirect";
  return isChange && filter.path?.kind === "prefix";
}

function redirected({ filters, backends }: RuleActions): string | undefined {
  const isBoth = backends.length > 0 && filters.some(({ kind }) => kind === "redirect");
  return isBoth ? "RequestRedirect and backendRefs exclude each other" : undefined;
}

function readMatch(field: Field, isExpression: IsExpression): RankedMatch {
  hasOnly(field, ["path", "headers", "queryParams", "method"]);
  const path = readPath(field, isExpression);
  const headers = readNamed(field, "headers", isExpression);
  const query = readNamed(field, "queryParams", isExpression);
  const method = choiceIn(field, "method", { allowed: [...METHODS, ""], fallback: "" });
  return {
    match: { path, headers, query, method },
    rank: [
      // Of expressions the API says nothing. Behind a prefix "/" none would ever be asked.
      ["prefix", "regex", "exact"].indexOf(path.kind),
      path.value.length,
      method === "" ? 0 : 1,
      headers.length,
      query.length,
    ],
  };
}

function readPath(parent: Field, isExpression: IsExpression): PathMatch {
  const field = objectIn(parent, "path", ["type", "value"]);
  if (!field) return { kind: "prefix", value: "" };
  const type = choiceIn(field, "type", { allowed: PATH_TYPES, fallback: "PathPrefix" });
  const value = textIn(field, "value", "/");
  const at = missing(field, "value");
  if (value.length > MAX_PATH) refuse(at, `must not be longer than ${MAX_PATH}`);
  if (type === "RegularExpression") return expression(at, value, isExpression);
  if (!PATH.test(value)) refuse(at, "must be an absolute path of valid characters");
  else if (AMBIGUOUS.test(value)) refuse(at, "must not hold //, /./, /../ or %2F");
  if (type === "Exact") return { kind: "exact", value };
  // "When specified, a trailing `/` is ignored."
  return { kind: "prefix", value: value.endsWith("/") ? value.slice(0, -1) : value };
}

function readTimeouts(parent: Field) {
  const field = objectIn(parent, "timeouts", ["request", "backendRequest"]);
  const requestTimeoutMs = field ? durationIn(field, "request") : 0;
  const backendTimeoutMs = field ? durationIn(field, "backendRequest") : 0;
  if (field && requestTimeoutMs > 0 && backendTimeoutMs > requestTimeoutMs) {
    refuse(field, "backendRequest must not be longer than request");
  }
  return { requestTimeoutMs, backendTimeoutMs };
}

function readRetry(parent: Field): RouteRetry | undefined {
  const field = objectIn(parent, "retry", ["codes", "attempts", "backoff"]);
  if (!field) return undefined;
  const codes = entriesOf(field, "codes").flatMap((code) => {
    return integer(code, [400, 599]) ?? [];
  });
  const attempts = wholeIn(field, "attempts", { least: 0, most: MAX_ATTEMPTS, fallback: 1 });
  const isGiven = member(field, "backoff") !== undefined;
  const backoffMs = isGiven ? durationIn(field, "backoff") : DEFAULT_BACKOFF_MS;
  // "An explicit zero value MUST disable retries."
  return attempts === 0 ? undefined : { codes: [...new Set(codes)], attempts, backoffMs };
}
