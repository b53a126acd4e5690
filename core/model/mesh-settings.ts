import type { AuthorizationProvider } from "./authorization-provider.ts";

/** What MeshConfig tells node proxies, defaults already filled in by the operator. */
export interface MeshSettings {
  readonly trustDomain: string;
  /** Other names of the same trust domain, for `principals` and `trustDomains`. */
  readonly trustDomainAliases: readonly string[];
  /** Life asked for new leaves. 60 to 2,592,000. */
  readonly leafLifetimeSeconds: number;
  readonly accessLog: boolean;
  readonly outboundPolicy: OutboundPolicy;
  /** Key sets may be fetched from loopback and link-local addresses of the node proxy; absent: they may not. */
  readonly localJwks?: boolean;
  /** Proxies in front of workloads that are believed in X-Forwarded-For; absent: 0. */
  readonly trustedProxies?: number;
  /** Whom CUSTOM policies may ask, by name; absent: nobody. */
  readonly authorizationProviders?: readonly AuthorizationProvider[];
  /** Where spans go; absent: none are made. */
  readonly tracing?: TracingSettings;
  /** Who counts for global rate limits; absent: nobody. */
  readonly rateLimitService?: RateLimitServiceSettings;
  /** Those that TrafficPolicies may name, by name; absent: none. */
  readonly plugins?: readonly PluginSettings[];
}

/** A plugin as node proxies run it. One whose ConfigMap is not there is not here either. */
export interface PluginSettings {
  readonly name: string;
  /** TypeScript with erasable syntax: one ES module. */
  readonly source: string;
  /** Of one hook for one request, from when the plugin has begun it. */
  readonly timeoutMs: number;
  /** Requests go on as if it were not there where it fails. */
  readonly failOpen: boolean;
}

/** An OTLP receiver. */
export interface TracingSettings {
  /** `namespace/name` of a Service; without a "/" a name or an address outside of the mesh. */
  readonly service: string;
  readonly port: number;
  /** Share of the traces begun here that are sampled, 0 to 1,000,000; a caller's own decision is kept. */
  readonly partsPerMillion: number;
}

/** A server of Envoy's `envoy.service.ratelimit.v3.RateLimitService`. */
export interface RateLimitServiceSettings {
  /** `namespace/name` of the Service. */
  readonly service: string;
  readonly port: number;
  readonly timeoutMs: number;
  /** Requests pass while it cannot be asked. */
  readonly failOpen: boolean;
  /** Which of its configurations counts. */
  readonly domain: string;
}

/** What happens to calls to addresses that the mesh does not know: they pass through untouched, or are refused. */
export type OutboundPolicy = "ALLOW_ANY" | "REGISTRY_ONLY";
