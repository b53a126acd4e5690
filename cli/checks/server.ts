/** Is the API server new enough for what the manifests use (CEL in CRDs, native sidecars, pod conditions)? */
import type { ClusterObject } from "../mesh/cluster-objects.ts";
import type { Finding } from "../mesh/finding.ts";

const OLDEST_MINOR = 29;

export function checkServer(version: ClusterObject | undefined): readonly Finding[] {
  const major = Number(version?.["major"]);
  // Some providers write "31+".
  const minor = Number.parseInt(String(version?.["minor"]), 10);
  const isNew = major > 1 || (major === 1 && minor >= OLDEST_MINOR);
  const message = `Kubernetes ${String(version?.["gitVersion"])}; weft needs 1.${OLDEST_MINOR} or later`;
  return [{ check: "kubernetes", level: isNew ? "ok" : "fail", message }];
}
