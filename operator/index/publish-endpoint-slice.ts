/** Puts an EndpointSlice to what every node gets, or takes it out; nothing else depends on it. */
import { createResource } from "../compile/resource-version.ts";
import { parseEndpointSlice } from "../resources/endpoint-slice.ts";
import type { KubeObject } from "../resources/kube-object.ts";
import type { ResourceTable } from "./resource-table.ts";

export function publishEndpointSlice(
  table: ResourceTable,
  { object, isThere }: { readonly object: KubeObject; readonly isThere: boolean },
): void {
  const name = `${object.metadata.namespace}/${object.metadata.name}`;
  const value = isThere ? parseEndpointSlice(object) : undefined;
  if (value) table.put(createResource(name, { kind: "endpointSlice", value }));
  else table.drop({ kind: "endpointSlice", name });
}
