/**
 * Turns an AuthorizationPolicy into what node proxies enforce, read as on an opaque port.
 *
 * What only HTTP can show cannot be seen there. An ALLOW rule that needs it is dropped whole; from
 * the other actions it is erased and the rest stays, so they get wider, never a no-op. Each such
 * place is a note for the object's status. An unreadable policy becomes an invalid one.
 */
import type {
  CompiledPolicy,
  Operation,
  Rule,
  Source,
} from "../../core/model/authorization-policy.ts";
import type {
  AuthorizationPolicy,
  ParsedAuthorizationPolicy,
} from "../resources/authorization-policy.ts";
import type { PolicyMetadata } from "../resources/policy-metadata.ts";
import type { PolicyRule } from "../resources/policy-rule.ts";
import type { WorkloadScope } from "../resources/workload-scope.ts";

export interface CompiledAuthorization {
  readonly policy: CompiledPolicy;
  readonly metadata: PolicyMetadata;
  /** For `selectsWorkload()`. */
  readonly scope: WorkloadScope;
  readonly notes: readonly CompileNote[];
}

/** What happened to a field that is not enforced as written, for the status condition Accepted. */
export interface CompileNote {
  readonly field: string;
  readonly effect: "rule_dropped" | "attribute_erased" | "provider_unknown";
}

/** `undefined` only for an object of which not even the name can be read. */
export function compileAuthorization(
  parsed: ParsedAuthorizationPolicy,
): CompiledAuthorization | undefined {
  if (parsed.kind === "accepted") return compileAccepted(parsed.value);
  if (!parsed.present) return undefined;
  const { metadata, action, dryRun, scope } = parsed.present;
  const policy = { ref: refOf(metadata), action, dryRun, invalid: true, rules: [] };
  return { policy, metadata, scope, notes: [] };
}

function compileAccepted(value: AuthorizationPolicy): CompiledAuthorization {
  const { metadata, action, dryRun, scope } = value;
  const isAllow = action === "ALLOW";
  const rules: Rule[] = [];
  // No provider can be configured yet, so every CUSTOM policy denies what it matches.
  const notes: CompileNote[] =
    action === "CUSTOM" ? [{ field: "spec.provider", effect: "provider_unknown" }] : [];
  for (const [index, rule] of value.rules.entries()) {
    const unseen = layer7Places(rule, `spec.rules[${index}]`);
    const effect = isAllow ? "rule_dropped" : "attribute_erased";
    notes.push(...unseen.map((field) => ({ field, effect }) as const));
    if (!isAllow || unseen.length === 0) rules.push(layer4Rule(rule, index));
  }
  return {
    policy: { ref: refOf(metadata), action, dryRun, invalid: false, rules },
    metadata,
    scope,
    notes,
  };
}

function refOf({ namespace, name }: PolicyMetadata): string {
  return `${namespace}/${name}`;
}

function layer7Places(rule: PolicyRule, path: string): readonly string[] {
  return [
    ...rule.from.flatMap(({ layer7 }, i) => names(layer7, `${path}.from[${i}].source`)),
    ...rule.to.flatMap(({ layer7 }, i) => names(layer7, `${path}.to[${i}].operation`)),
    ...rule.when.flatMap((condition, i) =>
      condition.kind === "layer7" ? [`${path}.when[${i}].key`] : [],
    ),
  ];
}

function names(layer7: Readonly<Record<string, unknown>>, path: string): readonly string[] {
  return Object.keys(layer7).map((name) => `${path}.${name}`);
}

function layer4Rule(rule: PolicyRule, index: number): Rule {
  return {
    index,
    from: unlessAny(rule.from.map(({ layer4 }) => layer4)),
    to: unlessAny(rule.to.map(({ layer4 }) => layer4)),
    when: rule.when.flatMap((condition) =>
      condition.kind === "layer4" ? [condition.condition] : [],
    ),
  };
}

/** One alternative that demands nothing any more makes the whole list demand nothing. */
function unlessAny<T extends Source | Operation>(alternatives: readonly T[]): readonly T[] {
  const demandsNothing = alternatives.some((alternative) =>
    Object.values(alternative).every((list: readonly unknown[]) => list.length === 0),
  );
  return demandsNothing ? [] : alternatives;
}
