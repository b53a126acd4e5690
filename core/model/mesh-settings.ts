/** What MeshConfig tells node proxies, defaults already filled in by the operator. */
export interface MeshSettings {
  readonly trustDomain: string;
  /** Other names of the same trust domain, for `principals` and `trustDomains`. */
  readonly trustDomainAliases: readonly string[];
  /** Life asked for new leaves. 60 to 2,592,000. */
  readonly leafLifetimeSeconds: number;
  readonly accessLog: boolean;
  /** What happens to outbound calls to addresses the mesh does not know. */
  readonly outboundPolicy: "ALLOW_ANY";
}
