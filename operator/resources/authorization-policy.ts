/**
 * Reads an AuthorizationPolicy, the whole schema, and says what is wrong with it and where.
 *
 * Admission refuses by it and the index reads by it, so both agree. Never decides what the policy
 * means for a connection: `compile/authorization.ts` does.
 */
import type { PolicyAction } from "../../core/model/authorization-policy.ts";
import { authorizationWarnings } from "./authorization-warnings.ts";
import {
  type Field,
  isObjectOf,
  listOf,
  member,
  oneOf,
  type Reason,
  refuse,
  rootField,
  text,
} from "./fields.ts";
import { type Envelope, type PolicyMetadata, parseEnvelope } from "./policy-metadata.ts";
import { type PolicyRule, parseRule } from "./policy-rule.ts";
import { parseWorkloadScope, type WorkloadScope } from "./workload-scope.ts";

export interface AuthorizationPolicy {
  readonly metadata: PolicyMetadata;
  readonly action: PolicyAction;
  /** Name of the provider that a CUSTOM policy asks; "" for the other actions. */
  readonly provider: string;
  /** Annotation `weft.dev/dry-run: "true"`. */
  readonly dryRun: boolean;
  readonly scope: WorkloadScope;
  readonly rules: readonly PolicyRule[];
}

/** What is left of a policy that cannot be evaluated: enough to deny by it (fail closed). */
export type UnreadablePolicy = Omit<AuthorizationPolicy, "provider" | "rules">;

export type ParsedAuthorizationPolicy =
  | {
      readonly kind: "accepted";
      readonly value: AuthorizationPolicy;
      readonly warnings: readonly Reason[];
    }
  | {
      readonly kind: "refused";
      readonly reasons: readonly Reason[];
      /** Present in the cluster all the same (webhook down); absent where not even its name can be read. */
      readonly present?: UnreadablePolicy;
    };

export interface AuthorizationPolicyOptions {
  readonly rootNamespace: string;
}

const ACTIONS = ["ALLOW", "DENY", "AUDIT", "CUSTOM"] as const;
const DRY_RUN = "weft.dev/dry-run";
const MAX_RULES = 512;

export function parseAuthorizationPolicy(
  object: unknown,
  options: AuthorizationPolicyOptions,
): ParsedAuthorizationPolicy {
  const reasons: Reason[] = [];
  const envelope = parseEnvelope(rootField(object, reasons), {
    kind: "AuthorizationPolicy",
    namespaced: true,
  });
  if (!envelope) return { kind: "refused", reasons };
  const value = readPolicy(envelope, reasons);
  if (reasons.length === 0) {
    const warnings = authorizationWarnings(value, options.rootNamespace);
    return { kind: "accepted", value, warnings };
  }
  const { metadata, action, dryRun, scope } = value;
  return { kind: "refused", reasons, present: { metadata, action, dryRun, scope } };
}

function readPolicy({ metadata, annotations, spec }: Envelope, reasons: Reason[]) {
  const field = spec ?? { value: {}, path: "spec", reasons };
  isObjectOf(field, ["selector", "targetRefs", "action", "provider", "rules"]);
  const action = readAction(field);
  const policy: AuthorizationPolicy = {
    metadata,
    action,
    provider: readProvider(field, action),
    dryRun: readDryRun(annotations, reasons),
    scope: parseWorkloadScope(field),
    rules: readRules(field, metadata.namespace),
  };
  if ((action === "DENY" || action === "CUSTOM") && !hasRules(field)) {
    refuse({ ...field, path: "spec.rules" }, `must be given with action ${action}`);
  }
  return policy;
}

/** An action that is no action is read as DENY: the policy is refused, and while it is there it denies. */
function readAction(spec: Field): PolicyAction {
  const field = member(spec, "action");
  return field ? (oneOf(field, ACTIONS) ?? "DENY") : "ALLOW";
}

function readProvider(spec: Field, action: PolicyAction): string {
  const provider = member(spec, "provider");
  if (action !== "CUSTOM") {
    if (provider) refuse(provider, "only with action CUSTOM");
    return "";
  }
  if (!provider) {
    refuse({ ...spec, path: "spec.provider" }, "must be given with action CUSTOM");
    return "";
  }
  if (!isObjectOf(provider, ["name"])) return "";
  const name = member(provider, "name");
  return (name ? text(name) : refuse(provider, "name must be given")) ?? "";
}

function readDryRun(annotations: Readonly<Record<string, string>>, reasons: Reason[]): boolean {
  const value = annotations[DRY_RUN];
  if (value === undefined || value === "true" || value === "false") return value === "true";
  reasons.push({ field: `metadata.annotations.${DRY_RUN}`, message: "must be true or false" });
  return false;
}

/** `rules: []` is as no rules: an ALLOW then matches nothing. Everywhere deeper an empty list is refused. */
function readRules(spec: Field, namespace: string): readonly PolicyRule[] {
  const field = member(spec, "rules");
  if (!field || isEmptyList(field)) return [];
  if (Array.isArray(field.value) && field.value.length > MAX_RULES) {
    refuse(field, `at most ${MAX_RULES} rules`);
  }
  return listOf(spec, "rules", (item) => parseRule(item, namespace));
}

function hasRules(spec: Field): boolean {
  const field = member(spec, "rules");
  return field !== undefined && !isEmptyList(field);
}

function isEmptyList({ value }: Field): boolean {
  return Array.isArray(value) && value.length === 0;
}
