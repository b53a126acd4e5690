/** Arbitrary resources and reports for property tests, each as the operator could make it. */
import fc from "fast-check";
import type {
  CompiledPolicy,
  Condition,
  Operation,
  OperationLayer7,
  PathMatch,
  RequestPrincipalMatch,
  Rule,
  ServiceAccountRef,
  Source,
  SourceLayer7,
  StringMatch,
} from "../../core/model/authorization-policy.ts";
import type { AuthorizationProvider } from "../../core/model/authorization-provider.ts";
import type { Enrolment, HttpPort, HttpVersion, Probe } from "../../core/model/enrolment.ts";
import { type Cidr, formatIp, parseCidr } from "../../core/model/ip.ts";
import type { MtlsModes } from "../../core/model/mtls-modes.ts";
import type { NodeReport } from "../../core/model/node-report.ts";
import type { JwtRule } from "../../core/model/request-authentication.ts";
import type { Resource } from "../../core/model/resource.ts";
import type { ServicePort } from "../../core/model/service.ts";
import type { TrafficSettings } from "../../core/model/traffic-settings.ts";
import { anyHttpSettings } from "./any-http-settings.ts";
import { anyRateLimit } from "./any-rate-limit.ts";
import { anyRoutes } from "./any-routes.ts";

const label = fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?$/);
const port = fc.integer({ min: 1, max: 65_535 });
const ports = fc.array(port, { maxLength: 4 });
const mode = fc.constantFrom("STRICT", "PERMISSIVE", "DISABLE");
const bytes = fc.oneof(
  fc.array(fc.nat(255), { minLength: 4, maxLength: 4 }),
  // The first byte keeps it from being a v4-mapped address, which is written as IPv4.
  fc.array(fc.nat(255), { minLength: 15, maxLength: 15 }).map((rest) => [0xfd, ...rest]),
);
const ip = bytes.map((raw) => formatIp(raw));
const ips = fc.array(ip, { maxLength: 3 });

const modes: fc.Arbitrary<MtlsModes> = fc.record({
  default: mode,
  ports: fc.array(fc.record({ port, mode }), { maxLength: 3 }),
});

const cidr: fc.Arbitrary<Cidr> = fc.tuple(bytes, fc.nat(32)).map(([raw, prefix]) => {
  const parsed = parseCidr(`${formatIp(raw)}/${prefix}`);
  if (parsed === undefined) throw new Error("an address block that does not parse");
  return parsed;
});

const stringMatch: fc.Arbitrary<StringMatch> = fc.oneof(
  fc.record({
    kind: fc.constantFrom("exact", "prefix", "suffix"),
    value: fc.string({ maxLength: 20 }),
  }),
  fc.constant({ kind: "present" as const }),
);

const account: fc.Arbitrary<ServiceAccountRef> = fc.record({ namespace: label, name: label });
const matches = fc.array(stringMatch, { maxLength: 2 });
const accounts = fc.array(account, { maxLength: 2 });
const cidrs = fc.array(cidr, { maxLength: 2 });

const paths = fc.array(
  fc.oneof<[fc.Arbitrary<PathMatch>, fc.Arbitrary<PathMatch>]>(
    stringMatch,
    fc.record({
      kind: fc.constant("template" as const),
      value: fc.constantFrom("/{*}", "/a/{**}"),
    }),
  ),
  { maxLength: 2 },
);
const requestPrincipals: fc.Arbitrary<RequestPrincipalMatch[]> = fc.array(
  fc.record({ issuer: stringMatch, subject: stringMatch }),
  { maxLength: 2 },
);

const condition: fc.Arbitrary<Condition> = fc.oneof(
  fc.record({
    key: fc.constantFrom(
      "connection.sni" as const,
      "request.auth.audiences" as const,
      "request.auth.presenter" as const,
    ),
    values: matches,
    notValues: matches,
  }),
  fc.record({
    key: fc.constant("request.headers" as const),
    name: label,
    values: matches,
    notValues: matches,
  }),
  fc.record({
    key: fc.constant("request.auth.claims" as const),
    path: fc.array(fc.string(), { minLength: 1, maxLength: 3 }),
    values: matches,
    notValues: matches,
  }),
  fc.record({
    key: fc.constant("request.auth.principal" as const),
    values: requestPrincipals,
    notValues: requestPrincipals,
  }),
  fc.record({
    key: fc.constantFrom("source.principal", "source.namespace", "source.trustDomain"),
    values: matches,
    notValues: matches,
  }),
  fc.record({
    key: fc.constant("source.serviceAccount" as const),
    values: accounts,
    notValues: accounts,
  }),
  fc.record({
    key: fc.constantFrom("source.ip", "destination.ip", "remote.ip"),
    values: cidrs,
    notValues: cidrs,
  }),
  fc.record({
    key: fc.constant("destination.port" as const),
    values: ports,
    notValues: ports,
  }),
);

const sourceLayer7: fc.Arbitrary<SourceLayer7> = fc.record({
  requestPrincipals,
  notRequestPrincipals: requestPrincipals,
  remoteIpBlocks: cidrs,
  notRemoteIpBlocks: cidrs,
});

const operationLayer7: fc.Arbitrary<OperationLayer7> = fc.record({
  hosts: matches,
  notHosts: matches,
  methods: matches,
  notMethods: matches,
  paths,
  notPaths: paths,
});

/** Lists that are all empty are never written. */
function withLayer7<T extends object, L extends object>(
  layer4: fc.Arbitrary<T>,
  layer7: fc.Arbitrary<L>,
): fc.Arbitrary<T & { readonly layer7?: L }> {
  return fc
    .tuple(layer4, fc.option(layer7, { nil: undefined }))
    .map(([fields, more]) =>
      more && Object.values(more).some((list: readonly unknown[]) => list.length > 0)
        ? { ...fields, layer7: more }
        : fields,
    );
}

const operation: fc.Arbitrary<Operation> = withLayer7(
  fc.record({ ports, notPorts: ports }),
  operationLayer7,
);

const source: fc.Arbitrary<Source> = withLayer7(
  fc.record({
    principals: matches,
    notPrincipals: matches,
    namespaces: matches,
    notNamespaces: matches,
    serviceAccounts: accounts,
    notServiceAccounts: accounts,
    trustDomains: matches,
    notTrustDomains: matches,
    ipBlocks: cidrs,
    notIpBlocks: cidrs,
  }),
  sourceLayer7,
);

const rule: fc.Arbitrary<Rule> = fc.record({
  index: fc.nat(100),
  from: fc.array(source, { maxLength: 2 }),
  to: fc.array(operation, { maxLength: 2 }),
  when: fc.array(condition, { maxLength: 2 }),
});

const policy: fc.Arbitrary<CompiledPolicy> = fc
  .record({
    ref: fc.tuple(label, label).map(([namespace, name]) => `${namespace}/${name}`),
    action: fc.constantFrom<CompiledPolicy["action"]>("ALLOW", "DENY", "AUDIT", "CUSTOM"),
    dryRun: fc.boolean(),
    invalid: fc.boolean(),
    rules: fc.array(rule, { maxLength: 2 }),
    provider: label,
  })
  .map(({ provider, ...rest }) => (rest.action === "CUSTOM" ? { ...rest, provider } : rest));

const probe: fc.Arbitrary<Probe> = fc.oneof(
  fc.record({
    kind: fc.constant("http" as const),
    port,
    scheme: fc.constantFrom("HTTP", "HTTPS"),
    path: fc.webPath(),
    headers: fc.array(fc.record({ name: label, value: fc.string() }), { maxLength: 2 }),
    timeoutMs: fc.nat(100_000),
  }),
  fc.record({ kind: fc.constant("tcp" as const), port, timeoutMs: fc.nat(100_000) }),
  fc.record({
    kind: fc.constant("grpc" as const),
    port,
    service: fc.string(),
    timeoutMs: fc.nat(100_000),
  }),
);

const httpPort: fc.Arbitrary<HttpPort> = fc.record({
  port,
  version: fc.constantFrom("http1", "http2"),
});

const enrolment: fc.Arbitrary<Enrolment> = fc.record({
  uid: fc.uuid(),
  namespace: label,
  name: label,
  serviceAccount: label,
  addresses: ips,
  netnsPath: fc.constantFrom("", "/run/netns/a"),
  policies: fc.array(
    label.map((name) => `shop/${name}`),
    { maxLength: 3 },
  ),
  modes,
  probes: fc.array(probe, { maxLength: 3 }),
  nodeAddresses: ips,
  exclusions: fc.record({
    inboundPorts: ports,
    outboundPorts: ports,
    outboundBlocks: cidrs,
    dnsAddresses: fc.subarray(["10.96.0.10", "fd96::a"]),
  }),
  owner: label,
  zone: fc.constantFrom("", "eu-1a"),
});

const texts = fc.array(fc.string({ minLength: 1, maxLength: 8 }), { maxLength: 2 });
const timeoutMs = fc.integer({ min: 1, max: 600_000 });

const jwtRule: fc.Arbitrary<JwtRule> = fc.record({
  issuer: fc.webUrl(),
  audiences: texts,
  keys: fc.oneof(
    fc.record({ kind: fc.constant("inline" as const), jwks: fc.json() }),
    fc.record({ kind: fc.constant("uri" as const), uri: fc.webUrl() }),
    fc.constant({ kind: "discovered" as const }),
  ),
  fromHeaders: fc.array(fc.record({ name: label, prefix: fc.constantFrom("", "Bearer ") }), {
    minLength: 1,
    maxLength: 2,
  }),
  fromParams: texts,
  fromCookies: texts,
  outputPayloadToHeader: fc.oneof(label, fc.constant("")),
  outputClaimToHeaders: fc.array(
    fc.record({ header: label, claim: fc.array(fc.string(), { minLength: 1, maxLength: 3 }) }),
    { maxLength: 2 },
  ),
  forwardOriginalToken: fc.boolean(),
  timeoutMs,
});

const headerMatches = fc.array(
  fc.oneof(
    fc.constant({ kind: "present" as const }),
    fc.record({ kind: fc.constantFrom("exact" as const, "prefix" as const), value: label }),
  ),
  { maxLength: 2 },
);

const provider: fc.Arbitrary<AuthorizationProvider> = fc
  .record({
    name: label,
    service: label.map((name) => `shop/${name}`),
    port,
    timeoutMs,
    failOpen: fc.boolean(),
    statusOnError: fc.integer({ min: 200, max: 599 }),
    body: fc.option(
      fc.record({
        maxBytes: fc.integer({ min: 1, max: 1_048_576 }),
        allowPartial: fc.boolean(),
        packAsBytes: fc.boolean(),
      }),
      { nil: undefined },
    ),
    protocol: fc.oneof(
      fc.constant({ kind: "grpc" as const }),
      fc.record({
        kind: fc.constant("http" as const),
        pathPrefix: fc.constantFrom("", "/check"),
        requestHeaders: headerMatches,
        additionalHeaders: fc.array(fc.record({ name: label, value: fc.string() }), {
          maxLength: 2,
        }),
        upstreamHeadersOnAllow: headerMatches,
        downstreamHeadersOnAllow: headerMatches,
        downstreamHeadersOnDeny: headerMatches,
      }),
    ),
  })
  .map(({ body, ...rest }) => (body ? { ...rest, body } : rest));

const ms = fc.integer({ min: 1, max: 86_400_000 });
const count = fc.integer({ min: 1, max: 1000 });
const percent = fc.integer({ min: 1, max: 100 });

const trafficSettings: fc.Arbitrary<TrafficSettings> = fc.record({
  connectTimeoutMs: ms,
  retries: fc.nat(10),
  idleTimeoutMs: ms,
  limits: fc.record({
    maxConnections: fc.nat(1000),
    maxConnectionsPerEndpoint: fc.nat(1000),
    maxPending: fc.nat(1000),
    pendingTimeoutMs: ms,
  }),
  warmupMs: ms,
  warmupMinimumPercent: percent,
  maglevTableSize: fc.constantFrom(251, 65_537),
  outliers: fc.option(
    fc.record({
      consecutiveFailures: count,
      baseEjectionMs: ms,
      maxEjectionPercent: percent,
      minHealthPercent: percent,
    }),
    { nil: undefined },
  ),
  tcpCheck: fc.option(
    fc.record({
      intervalMs: ms,
      timeoutMs: ms,
      healthyThreshold: count,
      unhealthyThreshold: count,
    }),
    { nil: undefined },
  ),
  http: anyHttpSettings,
});

const algorithm = fc.constantFrom(
  "round_robin",
  "least_recently_used",
  "random",
  "weighted_round_robin",
  "least_connections",
  "least_request",
  "peak_ewma",
  "ring_hash",
  "maglev",
);

const servicePort: fc.Arbitrary<ServicePort> = fc
  .tuple(
    fc.record({ port, name: label, appProtocol: label }),
    fc.constantFrom<(HttpVersion | undefined)[]>(undefined, "http1", "http2"),
  )
  .map(([value, http]) => (http ? { ...value, http } : value));

const body: fc.Arbitrary<Omit<Resource, "version">> = fc.oneof(
  fc
    .record({
      uid: fc.uuid(),
      namespace: label,
      name: label,
      serviceAccount: fc.oneof(label, fc.constant("")),
      node: label,
      addresses: ips,
      tunnel: fc.boolean(),
      modes,
      owner: label,
      weight: fc.integer({ min: 1, max: 1000 }),
    })
    .map((value) => ({ name: value.uid, body: { kind: "workload" as const, value } })),
  fc
    .record({
      namespace: label,
      name: label,
      addresses: ips,
      ports: fc.array(servicePort, { maxLength: 3 }),
      algorithm,
      localOnly: fc.boolean(),
      distribution: fc.constantFrom("anywhere", "same_zone", "same_node"),
      affinitySeconds: fc.nat(86_400),
    })
    .map((value) => ({
      name: `${value.namespace}/${value.name}`,
      body: { kind: "service" as const, value },
    })),
  fc
    .record({
      namespace: label,
      name: label,
      service: label,
      ports: fc.array(fc.record({ name: label, port }), { maxLength: 3 }),
      endpoints: fc.array(
        fc.record({
          address: ip,
          workload: fc.uuid(),
          node: label,
          ready: fc.boolean(),
          draining: fc.boolean(),
          zone: fc.constantFrom("", "eu-1a"),
          forZones: fc.array(label, { maxLength: 2 }),
          forNodes: fc.array(label, { maxLength: 2 }),
        }),
        { maxLength: 5 },
      ),
    })
    .map((value) => ({
      name: `${value.namespace}/${value.name}`,
      body: { kind: "endpointSlice" as const, value },
    })),
  fc
    .tuple(
      enrolment,
      fc.array(label, { maxLength: 2 }),
      fc.array(httpPort, { maxLength: 2 }),
      fc.array(anyRateLimit, { maxLength: 2 }),
      ports,
    )
    .map(([value, names, httpPorts, rateLimits, tlsPorts]) => ({
      ...value,
      ...(names.length === 0
        ? {}
        : { requestAuthentications: names.map((name) => `shop/${name}`) }),
      ...(httpPorts.length === 0 ? {} : { httpPorts }),
      ...(tlsPorts.length === 0 ? {} : { tlsPorts }),
      ...(rateLimits.length === 0 ? {} : { rateLimits }),
    }))
    .map((value) => ({ name: value.uid, body: { kind: "enrolment" as const, value } })),
  policy.map((value) => ({ name: value.ref, body: { kind: "policy" as const, value } })),
  fc
    .record({
      trustDomain: label,
      roots: fc.array(fc.uint8Array({ minLength: 1, maxLength: 50 }), {
        minLength: 1,
        maxLength: 3,
      }),
      issuer: fc.constantFrom("", "00ff"),
      retired: fc.array(fc.constantFrom("aa", "bb"), { maxLength: 2 }),
    })
    .map((value) => ({ name: value.trustDomain, body: { kind: "bundle" as const, value } })),
  fc
    .record({
      trustDomain: label,
      trustDomainAliases: fc.array(label, { maxLength: 2 }),
      leafLifetimeSeconds: fc.integer({ min: 60, max: 2_592_000 }),
      accessLog: fc.boolean(),
      outboundPolicy: fc.constantFrom("ALLOW_ANY" as const, "REGISTRY_ONLY" as const),
      localJwks: fc.boolean(),
      trustedProxies: fc.nat(3),
      authorizationProviders: fc.array(provider, { maxLength: 2 }),
      tracing: fc.option(
        fc.record({
          service: fc.constantFrom("shop/collector", "collector.example"),
          port,
          partsPerMillion: fc.nat(1_000_000),
        }),
        { nil: undefined },
      ),
      plugins: fc.array(
        fc.record({
          name: label,
          source: fc.string(),
          timeoutMs: fc.integer({ min: 1, max: 10_000 }),
          failOpen: fc.boolean(),
        }),
        { maxLength: 2 },
      ),
      rateLimitService: fc.option(
        fc.record({
          service: fc.constant("shop/ratelimit"),
          port,
          timeoutMs,
          failOpen: fc.boolean(),
          domain: label,
        }),
        { nil: undefined },
      ),
    })
    // Nothing is not told.
    .map(({ localJwks, trustedProxies, authorizationProviders, ...settings }) => {
      const { tracing, rateLimitService, plugins, ...value } = settings;
      return {
        ...value,
        ...(localJwks ? { localJwks } : {}),
        ...(trustedProxies > 0 ? { trustedProxies } : {}),
        ...(authorizationProviders.length > 0 ? { authorizationProviders } : {}),
        ...(tracing && { tracing }),
        ...(rateLimitService && { rateLimitService }),
        ...(plugins.length > 0 && { plugins }),
      };
    })
    .map((value) => ({ name: "mesh", body: { kind: "settings" as const, value } })),
  fc
    .record({
      ref: label.map((name) => `shop/${name}`),
      invalid: fc.boolean(),
      rules: fc.array(jwtRule, { maxLength: 2 }),
    })
    .map((value) => ({
      name: value.ref,
      body: { kind: "requestAuthentication" as const, value },
    })),
  fc
    .record({
      ref: label.map((name) => `shop/${name}`),
      services: fc.array(
        label.map((name) => `shop/${name}`),
        { maxLength: 3 },
      ),
      algorithm: fc.option(algorithm, { nil: undefined }),
      settings: trafficSettings,
    })
    .map((value) => ({ name: value.ref, body: { kind: "traffic" as const, value } })),
  anyRoutes.map((value) => ({ name: value.service, body: { kind: "routes" as const, value } })),
  fc
    .record({ node: label, serials: fc.array(fc.constantFrom("0a", "ff"), { maxLength: 3 }) })
    .map((value) => ({ name: value.node, body: { kind: "revocation" as const, value } })),
);

export function anyResource(): fc.Arbitrary<Resource> {
  return fc.tuple(body, label).map(([named, version]) => ({ ...named, version }));
}

export function anyNodeReport(): fc.Arbitrary<NodeReport> {
  return fc.record({
    node: label,
    version: label,
    captures: fc.array(
      fc.record({
        uid: fc.uuid(),
        state: fc.constantFrom("pending", "captured", "releasing", "failed"),
        reason: fc.constantFrom("", "no_namespace"),
        message: fc.string(),
        connectionsOutside: fc.nat(1000),
      }),
      { maxLength: 4 },
    ),
    leaves: fc.array(
      fc.record({
        identity: label.map((name) => `spiffe://cluster.local/ns/shop/sa/${name}`),
        issuer: fc.constantFrom("", "00ff"),
        serial: fc.constantFrom("", "7b"),
        notBeforeMs: fc.nat(2 ** 31).map((seconds) => seconds * 1000),
        notAfterMs: fc.nat(2 ** 31).map((seconds) => seconds * 1000),
      }),
      { maxLength: 4 },
    ),
    bundles: fc.array(fc.record({ trustDomain: label, version: label }), { maxLength: 2 }),
    olderTunnels: fc.array(fc.record({ issuer: label, count: fc.nat(1000) }), { maxLength: 2 }),
  });
}
