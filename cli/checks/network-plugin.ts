/** Which network plugin runs, and does it do anything that takes traffic past the pod's own iptables? */
import type { ClusterObject } from "../mesh/cluster-objects.ts";
import type { Finding } from "../mesh/finding.ts";

/** By the name of the plugin's DaemonSet. */
const PLUGINS: Readonly<Record<string, { readonly name: string; readonly advice?: string }>> = {
  "calico-node": { name: "Calico" },
  cilium: {
    name: "Cilium",
    advice:
      "set socketLB.hostNamespaceOnly=true: with socket load balancing inside pods the destination is rewritten before weft can see the service address",
  },
  "kube-flannel-ds": { name: "Flannel" },
  kindnet: { name: "kindnet" },
  "aws-node": { name: "Amazon VPC CNI" },
  "azure-cns": { name: "Azure CNI" },
  "weave-net": { name: "Weave Net" },
  "antrea-agent": { name: "Antrea" },
};

export function checkNetworkPlugin(daemonSets: readonly ClusterObject[]): readonly Finding[] {
  const known = daemonSets.flatMap(({ metadata }) => PLUGINS[metadata.name] ?? []);
  if (known.length === 0) {
    const message =
      "no known plugin's DaemonSet; weft needs pods with addresses that other nodes reach";
    return [{ check: "network plugin", level: "ok", message }];
  }
  return known.map(({ name, advice }) => ({
    check: "network plugin",
    level: advice === undefined ? ("ok" as const) : ("warn" as const),
    message: advice === undefined ? name : `${name}: ${advice}`,
  }));
}
