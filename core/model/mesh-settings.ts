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
}

/** What happens to calls to addresses that the mesh does not know: they pass through untouched, or are refused. */
export type OutboundPolicy = "ALLOW_ANY" | "REGISTRY_ONLY";
