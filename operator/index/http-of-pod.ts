/**
 * Which of a pod's ports are HTTP, and on which is TLS asked whom it names, by the policies and the Services that pick it;
 * and what of a policy nobody sees nevertheless.
 */
import type { Enrolment, HttpPort } from "../../core/model/enrolment.ts";
import type { Resource } from "../../core/model/resource.ts";
import type { CompileNote } from "../compile/authorization.ts";
import {
  compileHttpPorts,
  contradictedPorts,
  declaredTlsPorts,
  type HttpAsk,
} from "../compile/http-ports.ts";
import { hasLabels } from "../compile/selects-workload.ts";
import type { Pod } from "../resources/pod.ts";
import type { DeclaredPort, Service } from "../resources/service.ts";
import type { NamespacedStore } from "./namespaced-store.ts";

export interface HttpOfPod {
  readonly asks: readonly HttpAsk[];
  readonly authenticates: boolean;
  readonly services: NamespacedStore<Service>;
}

export function httpPortsOf(pod: Pod, question: HttpOfPod): readonly HttpPort[] {
  const { asks, authenticates, services } = question;
  // Services need not be looked at for most pods.
  if (!authenticates && !asks.some((ask) => ask.asks)) return [];
  const declared = declaredBy(services, pod);
  return compileHttpPorts({ asks, authenticates, declared, portNames: pod.portNames });
}

/** Where a policy that rules the pod asks for the server that TLS names. */
export function tlsPortsOf(services: NamespacedStore<Service>, pod: Pod): readonly number[] {
  return declaredTlsPorts({ declared: declaredBy(services, pod), portNames: pod.portNames });
}

/** Ports of the pod of which its Services say different things, so that they stay opaque. */
export function contradictions(services: NamespacedStore<Service>, pod: Pod): readonly number[] {
  return contradictedPorts({ declared: declaredBy(services, pod), portNames: pod.portNames });
}

function declaredBy(services: NamespacedStore<Service>, pod: Pod): readonly DeclaredPort[] {
  return servicesOf(services, pod).flatMap(({ declared }) => declared);
}

/** All that pick the pod. */
export function servicesOf(
  services: NamespacedStore<Service>,
  { namespace, labels }: Pod,
): readonly Service[] {
  return services
    .inNamespace(namespace)
    .filter(({ selector }) => selector && hasLabels(labels, selector));
}

/** What a change of the Service can do to the ports of pods; "" where there is none. */
export function declarationsOf(service: Service | undefined): string {
  return service ? JSON.stringify([service.selector, service.declared]) : "";
}

/** What of an enrolment tells which attributes its node sees, and where. */
export type SeeingPorts = Pick<Enrolment, "httpPorts" | "tlsPorts">;

export function seeingPortsIn(enrolment: Resource | undefined): SeeingPorts {
  return enrolment?.body.kind === "enrolment" ? enrolment.body.value : {};
}

export function portsIn(enrolment: Resource | undefined): readonly HttpPort[] {
  return seeingPortsIn(enrolment).httpPorts ?? [];
}

/** Without those of rules that hold for ports alone that all the workloads have as HTTP, or as TLS. */
export function notesWhere(
  notes: readonly CompileNote[],
  workloads: readonly SeeingPorts[],
): readonly CompileNote[] {
  return notes.filter(({ ports, inTls }) => {
    if (!ports || workloads.length === 0) return true;
    return !workloads.every(({ httpPorts = [], tlsPorts = [] }) => {
      const seeing = inTls ? tlsPorts : httpPorts.map(({ port }) => port);
      return ports.every((port) => seeing.includes(port));
    });
  });
}
