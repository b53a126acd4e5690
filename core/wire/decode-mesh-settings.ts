/** MeshConfig's settings from protobuf; what is not said is absent. */
import type {
  MeshSettings,
  PluginSettings,
  RateLimitServiceSettings,
  TracingSettings,
} from "../model/mesh-settings.ts";
import { decodeProvider } from "./decode-provider.ts";
import { OUTBOUND_POLICIES } from "./enum-table.ts";
import type { Findings } from "./findings.ts";
import type * as wire from "./gen/weft/v1/node_pb.ts";

/** More proxies than ever stood in one another's way. */
const MAX_HOPS = 64;
const MAX_TIMEOUT_MS = 600_000;
/** Of one plugin, in UTF-16 units. */
const MAX_PLUGIN_SOURCE = 256 << 10;
const MILLION = 1_000_000;

export function decodeMeshSettings(settings: wire.Settings, findings: Findings): MeshSettings {
  const { leafLifetimeSeconds, accessLog, localJwks, authorizationProviders } = settings;
  const { tracing, rateLimitService } = settings;
  const trustedProxies = findings.integer("trustedProxies", settings.trustedProxies, [0, MAX_HOPS]);
  return {
    trustDomain: findings.trustDomain("trustDomain", settings.trustDomain),
    trustDomainAliases: settings.trustDomainAliases.map((alias) =>
      findings.trustDomain("trustDomainAliases", alias),
    ),
    leafLifetimeSeconds: findings.integer(
      "leafLifetimeSeconds",
      leafLifetimeSeconds,
      [60, 2_592_000],
    ),
    accessLog,
    outboundPolicy: findings.member("outboundPolicy", OUTBOUND_POLICIES, settings.outboundPolicy),
    ...(localJwks ? { localJwks } : {}),
    ...(trustedProxies > 0 ? { trustedProxies } : {}),
    ...(authorizationProviders.length === 0
      ? {}
      : {
          authorizationProviders: authorizationProviders.map((provider) =>
            decodeProvider(provider, findings),
          ),
        }),
    ...(tracing && { tracing: decodeTracing(tracing, findings) }),
    ...(rateLimitService && {
      rateLimitService: decodeRateLimitService(rateLimitService, findings),
    }),
    ...(settings.plugins.length > 0 && {
      plugins: settings.plugins.map((plugin) => decodePlugin(plugin, findings)),
    }),
  };
}

function decodePlugin(plugin: wire.Plugin, findings: Findings): PluginSettings {
  const { name, source, timeoutMs, failOpen } = plugin;
  if (source.length > MAX_PLUGIN_SOURCE) findings.add("plugins.source: too long");
  return {
    name: findings.name("plugins.name", name),
    source,
    timeoutMs: findings.integer("plugins.timeoutMs", timeoutMs, [1, MAX_TIMEOUT_MS]),
    failOpen,
  };
}

function decodeTracing(tracing: wire.Tracing, findings: Findings): TracingSettings {
  const { service, port, partsPerMillion } = tracing;
  return {
    service: findings.name("tracing.service", service),
    port: findings.port("tracing.port", port),
    partsPerMillion: findings.integer("tracing.partsPerMillion", partsPerMillion, [0, MILLION]),
  };
}

function decodeRateLimitService(
  service: wire.RateLimitService,
  findings: Findings,
): RateLimitServiceSettings {
  const { port, timeoutMs, failOpen, domain } = service;
  return {
    service: findings.name("rateLimitService.service", service.service),
    port: findings.port("rateLimitService.port", port),
    timeoutMs: findings.integer("rateLimitService.timeoutMs", timeoutMs, [1, MAX_TIMEOUT_MS]),
    failOpen,
    domain: findings.name("rateLimitService.domain", domain),
  };
}
