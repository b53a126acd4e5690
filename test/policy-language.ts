/** Words for tests of the policy language: from the object as written to the decision of one workload. Not a test itself. */
import { ipBytes } from "../core/model/ip.ts";
import type { Attempt } from "../nodeproxy/authz/attempt.ts";
import { decide } from "../nodeproxy/authz/decide.ts";
import { createDecider, type Decider } from "../nodeproxy/authz/decider.ts";
import { compileAuthorization } from "../operator/compile/authorization.ts";
import { selectsWorkload } from "../operator/compile/selects-workload.ts";
import { parseAuthorizationPolicy } from "../operator/resources/authorization-policy.ts";

type Spec = Readonly<Record<string, unknown>>;

export interface Written {
  readonly name?: string;
  readonly namespace?: string;
  readonly dryRun?: boolean;
  readonly spec: Spec;
}

export const ROOT = "weft-system";
const CALLER = "10.77.0.2";
const CALLED = "10.77.0.3";
const POD = { namespace: "shop", labels: { app: "api", tier: "back" }, services: ["api"] };
const SETTINGS = { trustDomain: "cluster.local", trustDomainAliases: ["old.example"] };

export function policyOf({ name = "p", namespace = "shop", dryRun = false, spec }: Written) {
  const annotations = dryRun ? { "weft.dev/dry-run": "true" } : {};
  const parsed = parseAuthorizationPolicy(
    {
      apiVersion: "weft.dev/v1",
      kind: "AuthorizationPolicy",
      metadata: { name, namespace, annotations },
      spec,
    },
    { rootNamespace: ROOT },
  );
  const compiled = compileAuthorization(parsed);
  if (!compiled) throw new Error("not compiled");
  return { parsed, compiled };
}

export function decisionOf(written: readonly Written[], attempt: Attempt) {
  return decide(deciderOf(written), attempt);
}

/** The policies of the one workload. */
export function deciderOf(written: readonly Written[], providers: readonly string[] = []): Decider {
  const selecting = written
    .map((policy, i) => policyOf({ name: `p${i}`, ...policy }).compiled)
    .filter((compiled) => selectsWorkload(compiled, POD, ROOT))
    .map(({ policy }) => policy);
  const byRef = new Map(selecting.map((policy) => [policy.ref, policy]));
  return createDecider({
    refs: [...byRef.keys()],
    policyOf: (ref) => byRef.get(ref),
    settings: SETTINGS,
    providers,
  });
}

export function outcome(written: readonly Written[], attempt: Attempt): string {
  const { verdict } = decisionOf(written, attempt);
  return verdict.kind === "deny" ? verdict.reason : "permit";
}

/** Who calls: by its identity, or in plaintext. Addresses and ports are those that real proxies show in network namespaces. */
export interface Call {
  readonly peer: string | undefined;
  readonly ip: string;
  readonly port: number;
}

/** Name, policies, who calls, and the code of the denial or `permit`. */
export type PolicyCase = readonly [string, readonly Written[], Call, string];

export function from(peer: string | undefined, { ip = CALLER, port = 8080 } = {}): Call {
  return { peer, ip, port };
}

export function attemptOf({ peer, ip, port }: Call): Attempt {
  return attempt(peer, { ip, port });
}

export function attempt(
  peer: string | undefined,
  { ip = CALLER, port = 8080, to = CALLED } = {},
): Attempt {
  const [trustDomain = "", , namespace = "", , serviceAccount = ""] = (peer ?? "").split("/");
  return {
    ...(peer === undefined ? {} : { peer: { trustDomain, namespace, serviceAccount } }),
    sourceIp: ipBytes(ip) ?? [],
    destinationIp: ipBytes(to) ?? [],
    destinationPort: port,
  };
}

export const A = "cluster.local/ns/shop/sa/web";
export const B = "cluster.local/ns/ops/sa/monitor";
export const PLAIN = undefined;

export function source(fields: Spec) {
  return { from: [{ source: fields }] };
}

export function allow(...rules: Spec[]): Written {
  return { spec: { action: "ALLOW", rules } };
}

export function deny(...rules: Spec[]): Written {
  return { spec: { action: "DENY", rules } };
}

export const FROM_A = source({ principals: [A] });
export const ON_80 = { to: [{ operation: { ports: ["80"] } }] };
export const GET = { to: [{ operation: { methods: ["GET"] } }] };
