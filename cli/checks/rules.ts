/**
 * Can the nodes' kernels hold the redirect's iptables rules? Only a node proxy can try, in a pod's own
 * namespace, so this is known once the mesh is installed and a pod is enrolled.
 */
import type { Finding } from "../mesh/finding.ts";
import type { MeshView } from "../mesh/mesh-view.ts";

export function checkRules({
  nodes,
  notCaptured,
}: Pick<MeshView, "nodes" | "notCaptured">): readonly Finding[] {
  const failed = notCaptured.filter(({ reason }) => reason === "rules_failed");
  const byNode = new Map(failed.map(({ node, message }) => [node, message]));
  if (byNode.size > 0) {
    return [...byNode].map(([node, message]) => {
      return { check: "iptables", level: "fail", message: `${node}: ${message}` };
    });
  }
  const holding = nodes.filter(({ captured }) => captured > 0).length;
  const rest = holding < nodes.length ? "; the others have no captured pod" : "";
  const message = `rules are in place on ${holding} of ${nodes.length} nodes${rest}`;
  return [{ check: "iptables", level: "ok", message }];
}
