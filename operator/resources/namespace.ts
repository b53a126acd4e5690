/** A namespace: is it in the mesh? */
import type { KubeObject } from "./kube-object.ts";

export interface Namespace {
  readonly name: string;
  /** Label `weft.dev/mesh: enabled`. */
  readonly enabled: boolean;
}

export const MESH_LABEL = "weft.dev/mesh";

export function parseNamespace({ metadata }: KubeObject): Namespace {
  return { name: metadata.name, enabled: metadata.labels[MESH_LABEL] === "enabled" };
}
