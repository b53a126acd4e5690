/** Which RequestAuthentications say what tokens one pod takes, and from where? For `weftctl authz list`; decides nothing. */
import { type SelectableWorkload, selectsWorkload } from "../compile/selects-workload.ts";
import { placeOfScope, type ScopePlace } from "./place-of-scope.ts";
import type { PolicyStore } from "./policy-store.ts";

export interface AppliedAuthentication extends ScopePlace {
  /** `namespace/name`. */
  readonly policy: string;
  /** It cannot be read: every request that is read as HTTP is refused. */
  readonly invalid: boolean;
  /** As written, without repetitions; [] takes no token. */
  readonly issuers: readonly string[];
}

/** In the order of their names: all of them apply together. */
export function appliedAuthentications(
  { requestAuthentications }: Pick<PolicyStore, "requestAuthentications">,
  workload: SelectableWorkload,
  rootNamespace: string,
): readonly AppliedAuthentication[] {
  return requestAuthentications
    .reaching(workload.namespace, rootNamespace)
    .flatMap(({ compiled }) =>
      compiled && selectsWorkload(compiled, workload, rootNamespace) ? [compiled] : [],
    )
    .map(({ authentication: { ref, invalid, rules }, metadata, scope }) => ({
      policy: ref,
      ...placeOfScope(scope, metadata.namespace === rootNamespace),
      invalid,
      issuers: [...new Set(rules.map(({ issuer }) => issuer))],
    }))
    .toSorted((a, b) => (a.policy < b.policy ? -1 : 1));
}
