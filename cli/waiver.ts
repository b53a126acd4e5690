/** May these nodes be waived? A name with a typing error would wait for ever, and nobody would see why. */
import type { KubeApi } from "../core/kube/kube-api.ts";
import { listObjects } from "./mesh/cluster-objects.ts";
import type { RotationView } from "./mesh/rotation-view.ts";

/** "" where all of them are known, else what to say. */
export async function refuseWaiver(
  api: KubeApi,
  waive: readonly string[],
  underWay: RotationView | undefined,
): Promise<string> {
  if (waive.length === 0) return "";
  const reports = await listObjects(api, "/apis/weft.dev/v1/nodereports");
  const known = new Set([
    ...(underWay?.nodes ?? []).map(({ name }) => name),
    ...reports.map(({ metadata }) => metadata.name),
  ]);
  const unknown = waive.filter((node) => !known.has(node));
  if (unknown.length === 0) return "";
  const all = [...known].toSorted().join(", ") || "none";
  return `${unknown.join(", ")}: no such node in the mesh; nothing was changed; its nodes: ${all}`;
}
