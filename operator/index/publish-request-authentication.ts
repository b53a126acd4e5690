/** Files a RequestAuthentication and puts what it is compiled to before every node: the enrolments name those that rule. */
import { createResource } from "../compile/resource-version.ts";
import type { KubeObject } from "../resources/kube-object.ts";
import type { PolicyStore } from "./policy-store.ts";
import type { ResourceTable } from "./resource-table.ts";

export function publishRequestAuthentication(
  policies: PolicyStore,
  table: ResourceTable,
  { object, isThere }: { readonly object: KubeObject; readonly isThere: boolean },
): void {
  const { requestAuthentications: store } = policies;
  const before = store.get(object.metadata)?.compiled?.authentication.ref;
  const held = isThere ? policies.readRequestAuthentication(object) : undefined;
  if (held) store.put(object.metadata, held);
  else store.drop(object.metadata);
  const value = held?.compiled?.authentication;
  if (value) table.put(createResource(value.ref, { kind: "requestAuthentication", value }));
  else if (before !== undefined) table.drop({ kind: "requestAuthentication", name: before });
}
