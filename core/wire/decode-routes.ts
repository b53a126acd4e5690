/**
 * Compiled routes of a Service from protobuf.
 *
 * A rule that this version cannot read whole (a newer operator has said something that it does not know) stays in its
 * place with what could be read of its match and without filters and backends: its requests get 500, and none of
 * them goes where another rule would have sent it.
 */
import type {
  BackendRef,
  NamedMatch,
  NameValue,
  PathChange,
  PathMatch,
  RouteBackend,
  RouteFilter,
  RouteMatch,
  RouteRule,
  RouteSession,
  RouteTable,
  ServiceRoutes,
  TextMatch,
} from "../model/http-route.ts";
import { hasUnknownField } from "./decode-policy.ts";
import { ROUTE_TEXT_KINDS } from "./enum-table.ts";
import { Findings } from "./findings.ts";
import type * as wire from "./gen/weft/v1/node_pb.ts";

/** A timer of Node cannot be longer. */
const MAX_TIMER_MS = 0x7fff_ffff;
// Gateway API, BackendRef.weight: "Maximum=1000000".
const MAX_WEIGHT = 1_000_000;
const MAX_ATTEMPTS = 1_000;
const ANY_PATH: PathMatch = { kind: "prefix", value: "" };

interface DecodedRoutes {
  readonly routes: ServiceRoutes;
  readonly unread: readonly string[];
}

export function decodeRoutes(service: string, message: wire.Routes): DecodedRoutes {
  const unread: string[] = [];
  const tables = message.tables.flatMap((table) => decodeTable(table, unread));
  return { routes: { service, tables }, unread };
}

function decodeTable(message: wire.RouteTable, unread: string[]): readonly RouteTable[] {
  const findings = new Findings();
  const port = findings.port("tables.port", message.port);
  const consumer = findings.optionalName("tables.consumer", message.consumer);
  unread.push(...findings.reasons);
  if (findings.reasons.length > 0) return [];
  return [{ port, consumer, rules: message.rules.map((rule) => decodeRule(rule, unread)) }];
}

function decodeRule(message: wire.RouteRule, unread: string[]): RouteRule {
  const findings = new Findings();
  const rule: RouteRule = {
    kind: message.grpc ? "GRPCRoute" : "HTTPRoute",
    route: findings.name("rules.route", message.route),
    rule: findings.text("rules.rule", message.rule),
    match: decodeMatch(message.match, findings),
    filters: message.filters.flatMap((filter) => decodeFilter(filter, findings)),
    backends: message.backends.map((backend) => decodeBackend(backend, findings)),
    requestTimeoutMs: ms("rules.requestTimeoutMs", message.requestTimeoutMs, findings),
    backendTimeoutMs: ms("rules.backendTimeoutMs", message.backendTimeoutMs, findings),
    retry: message.retry && decodeRetry(message.retry, findings),
    session: message.session && decodeSession(message.session, findings),
  };
  if (hasUnknownField(message)) findings.add("rules: a field of a newer version");
  if (findings.reasons.length === 0) return rule;
  unread.push(...findings.reasons.map((reason) => `${message.route}: ${reason}`));
  return { ...rule, filters: [], backends: [], retry: undefined, session: undefined };
}

function ms(field: string, value: number, findings: Findings): number {
  return findings.integer(field, value, [0, MAX_TIMER_MS]);
}

function decodeMatch(match: wire.RouteMatch | undefined, findings: Findings): RouteMatch {
  return {
    path: decodePath(match?.path, findings),
    headers: match?.headers.flatMap((each) => decodeNamed(each, findings)) ?? [],
    query: match?.query.flatMap((each) => decodeNamed(each, findings)) ?? [],
    method: findings.optionalName("match.method", match?.method ?? ""),
  };
}

function decodePath(path: wire.RouteText | undefined, findings: Findings): PathMatch {
  if (path && Object.values(ROUTE_TEXT_KINDS).includes(path.kind)) {
    return {
      kind: findings.member("match.path", ROUTE_TEXT_KINDS, path.kind),
      value: findings.text("match.path", path.value),
    };
  }
  findings.add("match.path: of no known kind");
  return ANY_PATH;
}

/** None where it is of no known kind: the rule then holds for more than it should, and answers 500. */
function decodeNamed(
  { name, value }: wire.NamedRouteText,
  findings: Findings,
): readonly NamedMatch[] {
  const kind = textKind(value?.kind);
  if (kind === undefined) {
    findings.add("match: of no known kind");
    return [];
  }
  return [
    {
      name: findings.text("match.name", name),
      value: { kind, value: findings.text("match.value", value?.value ?? "") },
    },
  ];
}

function textKind(kind: wire.RouteTextKind | undefined): TextMatch["kind"] | undefined {
  if (kind === ROUTE_TEXT_KINDS.exact) return "exact";
  return kind === ROUTE_TEXT_KINDS.regex ? "regex" : undefined;
}

function decodeFilter({ kind }: wire.RouteFilter, findings: Findings): readonly RouteFilter[] {
  switch (kind.case) {
    case "requestHeaders":
    case "responseHeaders": {
      const { set, add, remove } = kind.value;
      return [
        {
          kind: kind.case,
          set: set.map((pair) => decodePair(pair, findings)),
          add: add.map((pair) => decodePair(pair, findings)),
          remove: remove.map((name) => findings.name("filters.remove", name)),
        },
      ];
    }
    case "redirect": {
      const { scheme, hostname, port, path, status } = kind.value;
      return [
        {
          kind: "redirect",
          scheme: findings.optionalName("filters.redirect.scheme", scheme),
          hostname: findings.optionalName("filters.redirect.hostname", hostname),
          port: findings.integer("filters.redirect.port", port, [0, 65_535]),
          path: path && decodePathChange(path),
          status: findings.integer("filters.redirect.status", status, [300, 399]),
        },
      ];
    }
    case "rewrite": {
      const { hostname, path } = kind.value;
      return [
        {
          kind: "rewrite",
          hostname: findings.optionalName("filters.rewrite.hostname", hostname),
          path: path && decodePathChange(path),
        },
      ];
    }
    case "mirror":
      return [decodeMirror(kind.value, findings)];
    case "cors":
      return [decodeCors(kind.value)];
    case undefined:
      findings.add("filters: of no known kind");
      return [];
  }
}

function decodePair({ name, value }: wire.HttpHeader, findings: Findings): NameValue {
  if (/[\0\r\n]/.test(value)) findings.add("filters.value: not one line");
  return [findings.name("filters.name", name), findings.text("filters.value", value)];
}

function decodePathChange({ prefix, value }: wire.PathChange): PathChange {
  return { kind: prefix ? "prefix" : "full", value };
}

function decodeMirror(
  { to, numerator, denominator }: wire.Mirror,
  findings: Findings,
): RouteFilter {
  return {
    kind: "mirror",
    to: decodeTo(to, findings),
    numerator,
    denominator: findings.integer("filters.mirror.denominator", denominator, [1, 0x7fff_ffff]),
  };
}

function decodeCors(cors: wire.Cors): RouteFilter {
  const { origins, credentials, methods, requestHeaders, exposeHeaders, maxAgeSeconds } = cors;
  return {
    kind: "cors",
    origins,
    credentials,
    methods,
    requestHeaders,
    exposeHeaders,
    maxAgeSeconds,
  };
}

function decodeBackend(backend: wire.RouteBackend, findings: Findings): RouteBackend {
  return {
    to: decodeTo(backend.to, findings),
    weight: findings.integer("backends.weight", backend.weight, [0, MAX_WEIGHT]),
    filters: backend.filters.flatMap((filter) => decodeFilter(filter, findings)),
  };
}

function decodeTo(to: wire.BackendRef | undefined, findings: Findings): BackendRef | undefined {
  if (!to) return undefined;
  return {
    service: findings.name("to.service", to.service),
    port: findings.port("to.port", to.port),
  };
}

function decodeRetry(
  { codes, attempts, backoffMs }: wire.RouteRetry,
  findings: Findings,
): RouteRule["retry"] {
  return {
    codes: codes.map((code) => findings.integer("retry.codes", code, [400, 599])),
    attempts: findings.integer("retry.attempts", attempts, [0, MAX_ATTEMPTS]),
    backoffMs: ms("retry.backoffMs", backoffMs, findings),
  };
}

export function decodeSession(session: wire.RouteSession, findings: Findings): RouteSession {
  const { header, name, absoluteTimeoutMs, idleTimeoutMs, permanent } = session;
  return {
    kind: header ? "header" : "cookie",
    name: findings.name("session.name", name),
    absoluteTimeoutMs: ms("session.absoluteTimeoutMs", absoluteTimeoutMs, findings),
    idleTimeoutMs: ms("session.idleTimeoutMs", idleTimeoutMs, findings),
    isPermanent: permanent,
  };
}
