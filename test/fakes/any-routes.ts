/** Arbitrary compiled routes for property tests, each as the operator could make it. */
import fc from "fast-check";
import type {
  BackendRef,
  NamedMatch,
  NameValue,
  PathChange,
  PathMatch,
  RouteFilter,
  RouteMatch,
  RouteRule,
  ServiceRoutes,
  TextMatch,
} from "../../core/model/http-route.ts";

const label = fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?$/);
const port = fc.integer({ min: 1, max: 65_535 });
const ref = fc.tuple(label, label).map(([namespace, name]) => `${namespace}/${name}`);
const labels = fc.array(label, { maxLength: 2 });
const timeoutMs = fc.nat(600_000);
const text = fc.string({ maxLength: 20 });

const textMatch: fc.Arbitrary<TextMatch> = fc.record({
  kind: fc.constantFrom("exact", "regex"),
  value: text,
});

const pathMatch: fc.Arbitrary<PathMatch> = fc.oneof<
  [fc.Arbitrary<PathMatch>, fc.Arbitrary<PathMatch>]
>(
  textMatch,
  fc.record({ kind: fc.constant("prefix" as const), value: fc.constantFrom("", "/a", "/a/b") }),
);

const named: fc.Arbitrary<NamedMatch[]> = fc.array(fc.record({ name: label, value: textMatch }), {
  maxLength: 2,
});

const match: fc.Arbitrary<RouteMatch> = fc.record({
  path: pathMatch,
  headers: named,
  query: named,
  method: fc.constantFrom("", "GET", "POST"),
});

const pairs: fc.Arbitrary<NameValue[]> = fc.array(fc.tuple(label, label), { maxLength: 2 });

const pathChange: fc.Arbitrary<PathChange | undefined> = fc.option(
  fc.record({ kind: fc.constantFrom("full", "prefix"), value: fc.webPath() }),
  { nil: undefined },
);

const to: fc.Arbitrary<BackendRef | undefined> = fc.option(fc.record({ service: ref, port }), {
  nil: undefined,
});

const filter: fc.Arbitrary<RouteFilter> = fc.oneof(
  fc.record({
    kind: fc.constantFrom("requestHeaders" as const, "responseHeaders" as const),
    set: pairs,
    add: pairs,
    remove: labels,
  }),
  fc.record({
    kind: fc.constant("redirect" as const),
    scheme: fc.constantFrom("", "http", "https"),
    hostname: fc.oneof(fc.constant(""), label),
    port: fc.nat(65_535),
    path: pathChange,
    status: fc.constantFrom(301, 302, 303, 307, 308),
  }),
  fc.record({
    kind: fc.constant("rewrite" as const),
    hostname: fc.oneof(fc.constant(""), label),
    path: pathChange,
  }),
  fc.record({
    kind: fc.constant("mirror" as const),
    to,
    numerator: fc.nat(100),
    denominator: fc.integer({ min: 1, max: 1000 }),
  }),
  fc.record({
    kind: fc.constant("cors" as const),
    origins: labels,
    credentials: fc.boolean(),
    methods: labels,
    requestHeaders: labels,
    exposeHeaders: labels,
    maxAgeSeconds: fc.nat(86_400),
  }),
);

const filters = fc.array(filter, { maxLength: 3 });

const rule: fc.Arbitrary<RouteRule> = fc.record({
  kind: fc.constantFrom("HTTPRoute", "GRPCRoute"),
  route: ref,
  rule: fc.oneof(label, fc.constant("0")),
  match,
  filters,
  backends: fc.array(fc.record({ to, weight: fc.nat(1_000_000), filters }), { maxLength: 2 }),
  requestTimeoutMs: timeoutMs,
  backendTimeoutMs: timeoutMs,
  retry: fc.option(
    fc.record({
      codes: fc.array(fc.integer({ min: 400, max: 599 }), { maxLength: 3 }),
      attempts: fc.nat(10),
      backoffMs: timeoutMs,
    }),
    { nil: undefined },
  ),
  session: fc.option(
    fc.record({
      kind: fc.constantFrom("cookie", "header"),
      name: label,
      absoluteTimeoutMs: timeoutMs,
      idleTimeoutMs: timeoutMs,
      isPermanent: fc.boolean(),
    }),
    { nil: undefined },
  ),
});

export const anyRoutes: fc.Arbitrary<ServiceRoutes> = fc.record({
  service: ref,
  tables: fc.array(
    fc.record({
      port,
      consumer: fc.oneof(fc.constant(""), label),
      rules: fc.array(rule, { maxLength: 3 }),
    }),
    { maxLength: 2 },
  ),
});
