/** What one node proxy holds, by the names that people give things: made for one question, from its resources. */
import type { CompiledPolicy } from "../../core/model/authorization-policy.ts";
import type { Enrolment } from "../../core/model/enrolment.ts";
import type { MeshSettings } from "../../core/model/mesh-settings.ts";
import type { RequestAuthentication } from "../../core/model/request-authentication.ts";
import type { Resource } from "../../core/model/resource.ts";
import type { EndpointSlice, Service } from "../../core/model/service.ts";
import type { Workload } from "../../core/model/workload.ts";

export interface MeshView {
  /** Whose resources they are. */
  readonly node: string;
  /** In the order in which they were heard of. */
  readonly workloads: readonly Workload[];
  /** By UID: pods of this node that it rules. */
  readonly enrolments: ReadonlyMap<string, Enrolment>;
  /** By `namespace/name`. */
  readonly services: ReadonlyMap<string, Service>;
  readonly policies: ReadonlyMap<string, CompiledPolicy>;
  /** By `namespace/name`. */
  readonly requestAuthentications: ReadonlyMap<string, RequestAuthentication>;
  readonly slices: readonly EndpointSlice[];
  /** Absent while nothing has been told: then everything is denied. */
  readonly settings: MeshSettings | undefined;
}

export function viewMesh(node: string, resources: Iterable<Resource>): MeshView {
  const workloads: Workload[] = [];
  const enrolments = new Map<string, Enrolment>();
  const services = new Map<string, Service>();
  const policies = new Map<string, CompiledPolicy>();
  const requestAuthentications = new Map<string, RequestAuthentication>();
  const slices: EndpointSlice[] = [];
  let settings: MeshSettings | undefined;
  for (const { name, body } of resources) {
    if (body.kind === "workload") workloads.push(body.value);
    else if (body.kind === "enrolment") enrolments.set(name, body.value);
    else if (body.kind === "service") services.set(name, body.value);
    else if (body.kind === "policy") policies.set(name, body.value);
    else if (body.kind === "requestAuthentication") requestAuthentications.set(name, body.value);
    else if (body.kind === "endpointSlice") slices.push(body.value);
    else if (body.kind === "settings") settings = body.value;
  }
  const named = { enrolments, services, policies, requestAuthentications };
  return { node, workloads, ...named, slices, settings };
}

/** Of two that claim one address (it was reused before the old pod was gone) the one heard of last. */
export function workloadAt({ workloads }: MeshView, address: string): Workload | undefined {
  return workloads.findLast(({ addresses }) => addresses.includes(address));
}

export function workloadNamed({ workloads }: MeshView, ref: string): Workload | undefined {
  return workloads.findLast(({ namespace, name }) => `${namespace}/${name}` === ref);
}
