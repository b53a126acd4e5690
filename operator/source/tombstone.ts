/** The object of a delete: who it was, and nothing else. */
import type { KubeObject } from "../resources/kube-object.ts";
import type { WatchedKind } from "../resources/watched-kinds.ts";

export interface ObjectIdentity {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
}

export function makeTombstone(
  { apiVersion, kind }: Pick<WatchedKind, "apiVersion" | "kind">,
  { namespace, name, uid }: ObjectIdentity,
): KubeObject {
  return {
    apiVersion,
    kind,
    metadata: {
      namespace,
      name,
      uid,
      resourceVersion: "",
      generation: 0,
      creationTimestamp: "",
      deletionTimestamp: "",
      labels: {},
      annotations: {},
      ownerReferences: [],
    },
  };
}
