/**
 * Does the mesh know the address that a pod calls? Asked where it is neither a Service's nor a pod's, and
 * MeshConfig's outboundPolicy is registryOnly.
 */
import type { MeshSettings } from "../../core/model/mesh-settings.ts";

export interface Registry {
  settings(): Pick<MeshSettings, "outboundPolicy" | "plugins"> | undefined;
  /** Of any Service, also a headless one or one without a selector: the API server is `default/kubernetes`. */
  hasEndpoint(address: string, port: number): boolean;
}

/** RFC 7766. DNS by UDP is open to everywhere, so its other half must not fail where answers are long. */
const DNS_PORT = 53;

/** `nodeAddresses`: of the caller's node, where kubelet, the hostPorts of the node's agents and NodePorts are. */
export function isRefusedAsUnknown(
  registry: Registry,
  { address, port }: { readonly address: string; readonly port: number },
  nodeAddresses: readonly string[],
): boolean {
  if (registry.settings()?.outboundPolicy !== "REGISTRY_ONLY" || port === DNS_PORT) return false;
  return !nodeAddresses.includes(address) && !registry.hasEndpoint(address, port);
}
