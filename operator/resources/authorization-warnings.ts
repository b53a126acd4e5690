/** What an AuthorizationPolicy surely was not meant to do, as far as the object alone shows it. Refuses nothing. */
import type {
  Condition,
  Operation,
  PolicyAction,
  Source,
} from "../../core/model/authorization-policy.ts";
import type { AuthorizationPolicy } from "./authorization-policy.ts";
import type { Reason } from "./fields.ts";
import { pathWarnings } from "./path-warnings.ts";
import type { PolicyRule } from "./policy-rule.ts";

export function authorizationWarnings(
  { metadata, action, rules, scope }: AuthorizationPolicy,
  rootNamespace: string,
): readonly Reason[] {
  const warnings: Reason[] = [];
  if (metadata.namespace === rootNamespace && scope.kind !== "services") {
    warnings.push({
      field: "metadata.namespace",
      message: "applies to every namespace of the mesh",
    });
  }
  if (action === "ALLOW" && rules.length === 0) {
    warnings.push({ field: "spec.rules", message: "ALLOW without rules denies everything" });
  }
  if (action === "AUDIT" && rules.length === 0) {
    warnings.push({ field: "spec.rules", message: "AUDIT without rules has no effect" });
  }
  return [
    ...warnings,
    ...rules.flatMap((rule, i) => negativeWarnings(rule, i, action)),
    ...rules.flatMap(pathWarnings),
  ];
}

/** An ALLOW that only excludes lets in whoever is not thought of, callers without an identity first. */
function negativeWarnings(rule: PolicyRule, index: number, action: PolicyAction): Reason[] {
  if (action !== "ALLOW") return [];
  const path = `spec.rules[${index}]`;
  const ofSources = rule.from.flatMap((source, i) => {
    if (!excludesIdentities(source) || demandsIdentity(source)) return [];
    const message = 'also matches plaintext; add principals: ["*"] to demand mTLS';
    return [{ field: `${path}.from[${i}].source`, message }];
  });
  if (ofSources.length > 0 || !isOnlyNegative(rule)) return ofSources;
  const message =
    "has only negative fields, so it allows everything else, plaintext as well; say whom it allows";
  return [{ field: path, message }];
}

function excludesIdentities(source: Source): boolean {
  return (
    source.notPrincipals.length +
      source.notNamespaces.length +
      source.notServiceAccounts.length +
      source.notTrustDomains.length >
    0
  );
}

function demandsIdentity(source: Source): boolean {
  return (
    source.principals.length +
      source.namespaces.length +
      source.serviceAccounts.length +
      source.trustDomains.length >
    0
  );
}

/** An empty rule is no negative one: whoever writes it means everything. */
function isOnlyNegative({ from, to, when }: PolicyRule): boolean {
  const parts = [...from, ...to].map(signsOf).concat(when.map(signsOfCondition));
  return parts.length > 0 && parts.every(({ positive }) => !positive);
}

function signsOf({ layer7, ...layer4 }: Source | Operation): { readonly positive: boolean } {
  const lists = [...Object.entries(layer4), ...Object.entries(layer7 ?? {})];
  return { positive: lists.some(([name, list]) => !name.startsWith("not") && list.length > 0) };
}

function signsOfCondition({ values }: Condition): { readonly positive: boolean } {
  return { positive: values.length > 0 };
}
