/**
 * Turns an AuthorizationPolicy into what node proxies enforce.
 *
 * Rules travel as written: the node proxy knows what it can see of a connection and reads them
 * accordingly (`nodeproxy/authz/read-rules.ts`). What only HTTP can show is a note for the object's
 * status: on a port that is opaque, an ALLOW rule that needs it is dropped whole, and from the other
 * actions it is erased. An unreadable policy becomes an invalid one.
 */
import type { CompiledPolicy } from "../../core/model/authorization-policy.ts";
import type { AuthorizationProvider } from "../../core/model/authorization-provider.ts";
import { isLayer7Condition } from "../../core/model/layer7-condition.ts";
import type {
  AuthorizationPolicy,
  ParsedAuthorizationPolicy,
} from "../resources/authorization-policy.ts";
import type { PolicyMetadata } from "../resources/policy-metadata.ts";
import type { PolicyRule } from "../resources/policy-rule.ts";
import type { WorkloadScope } from "../resources/workload-scope.ts";
import { type HttpAsk, httpAskOf, namedPorts } from "./http-ports.ts";

export interface CompiledAuthorization {
  readonly policy: CompiledPolicy;
  readonly metadata: PolicyMetadata;
  /** For `selectsWorkload()`. */
  readonly scope: WorkloadScope;
  readonly notes: readonly CompileNote[];
  readonly http: HttpAsk;
}

/** What happened to a field that is not enforced as written, for the status condition Accepted. */
export interface CompileNote {
  readonly field: string;
  /** Of the rule, where it holds for these ports alone. */
  readonly ports?: readonly number[];
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
  return { policy, metadata, scope, notes: [], http: httpAskOf(policy) };
}

function compileAccepted(value: AuthorizationPolicy): CompiledAuthorization {
  const { metadata, action, dryRun, provider, scope } = value;
  const effect = action === "ALLOW" ? "rule_dropped" : "attribute_erased";
  const unseen = value.rules.flatMap((rule, index) => {
    const ports = namedPorts({ index, ...rule });
    const only = ports.length === 0 ? {} : { ports };
    return layer7Places(rule, `spec.rules[${index}]`).map((field) => ({ field, ...only }));
  });
  const policy: CompiledPolicy = {
    ref: refOf(metadata),
    action,
    dryRun,
    invalid: false,
    ...(action === "CUSTOM" ? { provider } : {}),
    rules: value.rules.map((rule, index) => ({ index, ...rule })),
  };
  const notes = unseen.map((place) => ({ ...place, effect }) as const);
  return { policy, metadata, scope, notes, http: httpAskOf(policy) };
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

function layer7Places({ from, to, when }: PolicyRule, path: string): readonly string[] {
  return [
    ...from.flatMap(({ layer7 }, i) => names(layer7, `${path}.from[${i}].source`)),
    ...to.flatMap(({ layer7 }, i) => names(layer7, `${path}.to[${i}].operation`)),
    ...when.flatMap((condition, i) =>
      isLayer7Condition(condition) ? [`${path}.when[${i}].key`] : [],
    ),
  ];
}

/** Of the lists that are not empty. */
function names(layer7: object | undefined, path: string): readonly string[] {
  const lists: [string, readonly unknown[]][] = Object.entries(layer7 ?? {});
  return lists.filter(([, list]) => list.length > 0).map(([name]) => `${path}.${name}`);
}
