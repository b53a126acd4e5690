/** Objects of routes' tests, as a source delivers them. */
import { type KubeObject, parseKubeObject } from "../../operator/resources/kube-object.ts";
import { parseService, type Service } from "../../operator/resources/service.ts";

/** `name`: `namespace/name`. */
export function kubeObject(kind: string, name: string, fields: object = {}): KubeObject {
  const [namespace, own] = name.split("/");
  const metadata = { namespace, name: own, uid: `uid-${kind}-${own}` };
  const parsed = parseKubeObject({ apiVersion: versionOf(kind), kind, metadata, ...fields });
  if (parsed.kind === "refused") throw new Error(parsed.reasons.join());
  return parsed.value;
}

function versionOf(kind: string): string {
  if (["Service", "Namespace", "Node"].includes(kind)) return "v1";
  return kind === "TrafficPolicy" ? "weft.dev/v1" : "gateway.networking.k8s.io/v1";
}

export interface WrittenPort {
  readonly port: number;
  readonly name?: string;
  readonly appProtocol?: string;
}

export function serviceObject(name: string, ...ports: readonly WrittenPort[]): KubeObject {
  return kubeObject("Service", name, { spec: { clusterIP: "10.0.0.1", ports } });
}

export function serviceOf(name: string, ...ports: readonly WrittenPort[]): Service {
  const service = parseService(serviceObject(name, ...ports));
  if (!service) throw new Error("no service");
  return service;
}

/** To one Service, of the route's own namespace unless it says `namespace/name`. */
export function parentRef(service: string, fields: object = {}): object {
  const parts = service.split("/");
  const namespace = parts.length > 1 ? { namespace: parts[0] } : {};
  return { group: "", kind: "Service", ...namespace, name: parts.at(-1), ...fields };
}

export function routeObject(
  kind: "HTTPRoute" | "GRPCRoute",
  name: string,
  { parents, rules, created }: WrittenRoute,
): KubeObject {
  const object = kubeObject(kind, name, { spec: { parentRefs: parents, rules } });
  const creationTimestamp = created ?? "";
  return { ...object, metadata: { ...object.metadata, creationTimestamp } };
}

export interface WrittenRoute {
  readonly parents: readonly object[];
  readonly rules?: readonly object[];
  readonly created?: string;
}
