/**
 * Turns an AuthorizationPolicy into what node proxies enforce.
 *
 * Rules travel as written: the node proxy knows what it can see of a connection and reads them
 * accordingly (`nodeproxy/authz/read-rules.ts`). What only HTTP can show is a note for the object's
 * status: on a port that is opaque, an ALLOW rule that needs it is dropped whole, and from the other
 * actions it is erased. An unreadable policy becomes an invalid one.
 */
import type { CompiledPolicy, Rule } from "../../core/model/authorization-policy.ts";
import type { AuthorizationProvider } from "../../core/model/authorization-provider.ts";
import { isLayer7Condition } from "../../core/model/layer7-condition.ts";
import type {
  AuthorizationPolicy,
  ParsedAuthorizationPolicy,
} from "../resources/authorization-policy.ts";
import type { PolicyMetadata } from "../resources/policy-metadata.ts";
import type { WorkloadScope } from "../resources/workload-scope.ts";
import { asksServerName, type HttpAsk, httpAskOf, namedPorts, rulePorts } from "./http-ports.ts";

export interface CompiledAuthorization {
  readonly policy: CompiledPolicy;
  readonly metadata: PolicyMetadata;
  /** For `selectsWorkload()`. */
  readonly scope: WorkloadScope;
  readonly notes: readonly CompileNote[];
  readonly http: HttpAsk;
  /** It has a condition on the server that TLS names. */
  readonly asksServerName: boolean;
}

/** What happened to a field that is not enforced as written, for the status condition Accepted. */
export interface CompileNote {
  readonly field: string;
  /** Of the rule, where it holds for these ports alone. */
  readonly ports?: readonly number[];
  /** TLS shows it, else HTTP. */
  readonly inTls?: true;
  readonly effect:
    | "rule_dropped"
    | "attribute_erased"
    | "provider_unknown"
    | "provider_http_only"
    | "provider_without_body";
}

/** `undefined` only for an object of which not even the name can be read. */
export function compileAuthorization(
  parsed: ParsedAuthorizationPolicy,
): CompiledAuthorization | undefined {
  if (parsed.kind === "accepted") return compileAccepted(parsed.value);
  if (!parsed.present) return undefined;
  const { metadata, action, dryRun, scope } = parsed.present;
  const policy = { ref: refOf(metadata), action, dryRun, invalid: true, rules: [] };
  return {
    policy,
    metadata,
    scope,
    notes: [],
    http: httpAskOf(policy),
    asksServerName: false,
  };
}

function compileAccepted(value: AuthorizationPolicy): CompiledAuthorization {
  const { metadata, action, dryRun, provider, scope } = value;
  const effect = action === "ALLOW" ? "rule_dropped" : "attribute_erased";
  const unseen = value.rules.flatMap((rule, index) => placesOf({ index, ...rule }));
  const policy: CompiledPolicy = {
    ref: refOf(metadata),
    action,
    dryRun,
    invalid: false,
    ...(action === "CUSTOM" ? { provider } : {}),
    rules: value.rules.map((rule, index) => ({ index, ...rule })),
  };
  const notes = unseen.map((place) => ({ ...place, effect }) as const);
  return {
    policy,
    metadata,
    scope,
    notes,
    http: httpAskOf(policy),
    asksServerName: asksServerName(policy),
  };
}

/** What there is to know of a CUSTOM policy as long as MeshConfig names these providers. */
export function providerNotes(
  { action, provider: wanted, invalid }: CompiledPolicy,
  providers: readonly AuthorizationProvider[],
): readonly CompileNote[] {
  if (action !== "CUSTOM" || invalid) return [];
  const field = "spec.provider";
  const provider = providers.find(({ name }) => name === wanted);
  if (!provider) return [{ field, effect: "provider_unknown" }];
  return [
    ...(provider.protocol.kind === "http"
      ? [{ field, effect: "provider_http_only" } as const]
      : []),
    ...(provider.body ? [{ field, effect: "provider_without_body" } as const] : []),
  ];
}

function refOf({ namespace, name }: PolicyMetadata): string {
  return `${namespace}/${name}`;
}

/** What of a rule cannot be seen on an opaque port. */
function placesOf(rule: Rule): readonly Omit<CompileNote, "effect">[] {
  const path = `spec.rules[${rule.index}]`;
  const http = onlyAt(namedPorts(rule));
  const tls = { ...onlyAt(rulePorts(rule)), inTls: true } as const;
  return [
    ...rule.from.flatMap(({ layer7 }, i) => names(layer7, `${path}.from[${i}].source`)),
    ...rule.to.flatMap(({ layer7 }, i) => names(layer7, `${path}.to[${i}].operation`)),
  ]
    .map((field): Omit<CompileNote, "effect"> => ({ field, ...http }))
    .concat(
      rule.when.flatMap((condition, i) => {
        if (!isLayer7Condition(condition)) return [];
        const seenIn = condition.key === "connection.sni" ? tls : http;
        return [{ field: `${path}.when[${i}].key`, ...seenIn }];
      }),
    );
}

function onlyAt(ports: readonly number[]): Pick<CompileNote, "ports"> {
  return ports.length === 0 ? {} : { ports };
}

/** Of the lists that are not empty. */
function names(layer7: object | undefined, path: string): readonly string[] {
  const lists: [string, readonly unknown[]][] = Object.entries(layer7 ?? {});
  return lists.filter(([, list]) => list.length > 0).map(([name]) => `${path}.${name}`);
}
