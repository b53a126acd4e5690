/** Compiled routes of a Service as protobuf. */
import { create } from "@bufbuild/protobuf";
import type {
  BackendRef,
  HeaderChange,
  NamedMatch,
  PathChange,
  PathMatch,
  RouteBackend,
  RouteFilter,
  RouteMatch,
  RouteRule,
  RouteSession,
  ServiceRoutes,
} from "../model/http-route.ts";
import { ROUTE_TEXT_KINDS } from "./enum-table.ts";
import * as wire from "./gen/weft/v1/node_pb.ts";

export function encodeRoutes({ tables }: ServiceRoutes): wire.Routes {
  return create(wire.RoutesSchema, {
    tables: tables.map(({ port, consumer, rules }) =>
      create(wire.RouteTableSchema, { port, consumer, rules: rules.map(encodeRule) }),
    ),
  });
}

function encodeRule(rule: RouteRule): wire.RouteRule {
  const { route, requestTimeoutMs, backendTimeoutMs, retry, session } = rule;
  return create(wire.RouteRuleSchema, {
    grpc: rule.kind === "GRPCRoute",
    route,
    rule: rule.rule,
    match: encodeMatch(rule.match),
    filters: rule.filters.map(encodeFilter),
    backends: rule.backends.map(encodeBackend),
    requestTimeoutMs,
    backendTimeoutMs,
    ...(retry
      ? { retry: create(wire.RouteRetrySchema, { ...retry, codes: [...retry.codes] }) }
      : {}),
    ...(session ? { session: encodeSession(session) } : {}),
  });
}

function encodeMatch({ path, headers, query, method }: RouteMatch): wire.RouteMatch {
  return create(wire.RouteMatchSchema, {
    path: encodeText(path),
    headers: headers.map(encodeNamed),
    query: query.map(encodeNamed),
    method,
  });
}

function encodeText({ kind, value }: PathMatch): wire.RouteText {
  return create(wire.RouteTextSchema, { kind: ROUTE_TEXT_KINDS[kind], value });
}

function encodeNamed({ name, value }: NamedMatch): wire.NamedRouteText {
  return create(wire.NamedRouteTextSchema, { name, value: encodeText(value) });
}

function encodeFilter(filter: RouteFilter): wire.RouteFilter {
  return create(wire.RouteFilterSchema, { kind: encodeFilterKind(filter) });
}

function encodeFilterKind(filter: RouteFilter): wire.RouteFilter["kind"] {
  switch (filter.kind) {
    case "requestHeaders":
    case "responseHeaders":
      return { case: filter.kind, value: encodeHeaderChange(filter) };
    case "redirect": {
      const { scheme, hostname, port, path, status } = filter;
      const init = { scheme, hostname, port, status, ...encodePath(path) };
      return { case: "redirect", value: create(wire.RedirectSchema, init) };
    }
    case "rewrite": {
      const { hostname, path } = filter;
      return {
        case: "rewrite",
        value: create(wire.RewriteSchema, { hostname, ...encodePath(path) }),
      };
    }
    case "mirror": {
      const { to, numerator, denominator } = filter;
      const init = { numerator, denominator, ...encodeTo(to) };
      return { case: "mirror", value: create(wire.MirrorSchema, init) };
    }
    case "cors": {
      const { origins, methods, requestHeaders, exposeHeaders, credentials, maxAgeSeconds } =
        filter;
      const init = {
        origins: [...origins],
        methods: [...methods],
        requestHeaders: [...requestHeaders],
        exposeHeaders: [...exposeHeaders],
        credentials,
        maxAgeSeconds,
      };
      return { case: "cors", value: create(wire.CorsSchema, init) };
    }
  }
}

function encodeHeaderChange({ set, add, remove }: HeaderChange): wire.HeaderChange {
  return create(wire.HeaderChangeSchema, {
    set: set.map(([name, value]) => create(wire.HttpHeaderSchema, { name, value })),
    add: add.map(([name, value]) => create(wire.HttpHeaderSchema, { name, value })),
    remove: [...remove],
  });
}

function encodePath(path: PathChange | undefined) {
  if (!path) return {};
  const { kind, value } = path;
  return { path: create(wire.PathChangeSchema, { prefix: kind === "prefix", value }) };
}

function encodeTo(to: BackendRef | undefined) {
  return to ? { to: create(wire.BackendRefSchema, to) } : {};
}

function encodeBackend({ to, weight, filters }: RouteBackend): wire.RouteBackend {
  return create(wire.RouteBackendSchema, {
    weight,
    filters: filters.map(encodeFilter),
    ...encodeTo(to),
  });
}

export function encodeSession(session: RouteSession): wire.RouteSession {
  const { name, absoluteTimeoutMs, idleTimeoutMs, isPermanent } = session;
  return create(wire.RouteSessionSchema, {
    header: session.kind === "header",
    name,
    absoluteTimeoutMs,
    idleTimeoutMs,
    permanent: isPermanent,
  });
}
