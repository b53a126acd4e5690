/** What the oracle is asked: objects as users write them, one workload, one attempt in plain texts. */

/** An AuthorizationPolicy's parts as written, with whatever a user may have put into them. */
export interface WrittenPolicy {
  readonly namespace: string;
  readonly name: string;
  readonly dryRun: boolean;
  readonly spec: WrittenSpec;
  /** Its writer knows that it cannot be evaluated. */
  readonly broken: boolean;
}

export interface WrittenSpec {
  readonly action: "ALLOW" | "DENY" | "AUDIT" | "CUSTOM";
  readonly provider?: { readonly name: string };
  readonly selector?: { readonly matchLabels: Readonly<Record<string, string>> };
  readonly targetRefs?: readonly { readonly kind: "Service"; readonly name: string }[];
  readonly rules?: readonly WrittenRule[];
}

export type WrittenLists = Readonly<Record<string, readonly string[]>>;

export interface WrittenRule {
  readonly from?: readonly { readonly source: WrittenLists }[];
  readonly to?: readonly { readonly operation: WrittenLists }[];
  readonly when?: readonly WrittenCondition[];
}

export interface WrittenCondition {
  readonly key: string;
  readonly values?: readonly string[];
  readonly notValues?: readonly string[];
}

export interface AskedWorkload {
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly services: readonly string[];
}

export interface AskedAttempt {
  readonly peer?: { readonly domain: string; readonly namespace: string; readonly account: string };
  readonly sourceIp: string;
  readonly destinationIp: string;
  readonly port: number;
  readonly sni?: string;
  readonly remoteIp?: string;
  readonly http?: AskedRequest;
  readonly answers: Readonly<Record<string, "permit" | "deny">>;
}

export interface AskedRequest {
  readonly method: string;
  readonly path: string;
  readonly host: string;
  /** In the order of the lines. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly claims?: Readonly<Record<string, unknown>>;
}

export interface Mesh {
  readonly rootNamespace: string;
  /** The trust domain and its aliases. */
  readonly domains: readonly string[];
  readonly providers: readonly string[];
}
