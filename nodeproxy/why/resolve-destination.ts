/** Where does a call to `--to` end: every pod and port that it can come to. Pure. */
import { canonicalIp } from "../../core/model/ip.ts";
import type { EndpointSlice, Service, ServicePort } from "../../core/model/service.ts";
import type { Workload } from "../../core/model/workload.ts";
import { type MeshView, workloadAt, workloadNamed } from "./mesh-view.ts";
import type { Target } from "./why-answer.ts";

export type ResolvedDestination =
  | {
      readonly kind: "pod" | "service" | "address";
      readonly name: string;
      readonly port: number;
      readonly targets: readonly Target[];
      readonly notes: readonly string[];
    }
  | { readonly kind: "unknown"; readonly reason: string };

const NAME = /^(?:(svc|pod):)?([^/:]+\/[^/:]+)$/;
/** `web.shop`, `web.shop.svc`, `web.shop.svc.cluster.local`. */
const DNS_NAME = /^([a-z0-9-]+)\.([a-z0-9-]+)(?:\.svc(?:\.[a-z0-9.-]+)?)?$/;

/** A bare `NAMESPACE/NAME` is a Service if there is one, else a pod. */
export function resolveDestination(view: MeshView, to: string): ResolvedDestination {
  const { host, port } = splitPort(to);
  if (port === "malformed") return unknown(`--to ${to}: the port is not 1 to 65535`);
  const address = canonicalIp(host);
  if (address !== undefined) return atAddress(view, address, port);
  const [, kind, named] = NAME.exec(host) ?? [];
  const [, service, namespace] = DNS_NAME.exec(host) ?? [];
  const ref = named ?? (service === undefined ? undefined : `${namespace}/${service}`);
  if (ref === undefined) {
    return unknown(`--to ${to}: none of NAMESPACE/NAME[:PORT], svc:, pod: and ADDRESS:PORT`);
  }
  const found = kind === "pod" ? undefined : view.services.get(ref);
  if (found) return atService(view, found, port);
  const pod = kind === "svc" ? undefined : workloadNamed(view, ref);
  if (pod) return atPod(view, pod, port);
  return unknown(`--to ${to}: the mesh knows no such Service, and no such pod with an address`);
}

interface Split {
  readonly host: string;
  readonly port: number | "malformed" | undefined;
}

/** Names and IPv4 with `:port`; IPv6 with it in brackets only. */
function splitPort(to: string): Split {
  const [, bracketed, after = ""] = /^\[([^\]]*)\](?::(.*))?$/.exec(to) ?? [];
  if (bracketed !== undefined) return { host: bracketed, port: parsePort(after) };
  if (canonicalIp(to) !== undefined) return { host: to, port: undefined };
  const [, host = to, port = ""] = /^(.*):([0-9]+)$/.exec(to) ?? [];
  return { host, port: parsePort(port) };
}

function parsePort(text: string): number | "malformed" | undefined {
  if (text === "") return undefined;
  const port = Number(text);
  return /^[0-9]{1,5}$/.test(text) && port >= 1 && port <= 65_535 ? port : "malformed";
}

function atAddress(view: MeshView, address: string, port: number | undefined): ResolvedDestination {
  const service = [...view.services.values()].find(({ addresses }) => addresses.includes(address));
  if (service) return atService(view, service, port);
  const pod = workloadAt(view, address);
  if (pod) return atPod(view, { ...pod, addresses: [address] }, port);
  if (port === undefined) return unknown(`--to ${address}: which port?`);
  const target = { workload: "", uid: "", node: "", address, port };
  return { kind: "address", name: address, port, targets: [target], notes: [] };
}

function atPod(view: MeshView, pod: Workload, wanted: number | undefined): ResolvedDestination {
  const name = `${pod.namespace}/${pod.name}`;
  const address = pod.addresses[0] ?? "";
  const known = portsAt(view, pod.addresses);
  const port = wanted ?? (known.length === 1 ? known[0] : undefined);
  if (port === undefined) {
    const ports = known.length === 0 ? "no Service names one" : `Services name ${known.join(", ")}`;
    return unknown(`--to ${name}: which port? ${ports}`);
  }
  return { kind: "pod", name, port, targets: [targetOf(pod, address, port)], notes: [] };
}

/** The pod's own ports that Services lead to. */
function portsAt({ slices }: MeshView, addresses: readonly string[]): readonly number[] {
  const ports = slices
    .filter(({ endpoints }) => endpoints.some(({ address }) => addresses.includes(address)))
    .flatMap((slice) => slice.ports.map(({ port }) => port));
  return [...new Set(ports)].toSorted((a, b) => a - b);
}

function atService(
  view: MeshView,
  service: Service,
  wanted: number | undefined,
): ResolvedDestination {
  const name = `${service.namespace}/${service.name}`;
  const port = chosenPort(service, wanted);
  if (!port) {
    const ports = service.ports.map((entry) => entry.port).join(", ");
    if (wanted === undefined) return unknown(`--to ${name}: which port? It has ${ports}`);
    return unknown(`--to ${name}:${wanted}: the Service has no such port, only ${ports}`);
  }
  const slices = view.slices.filter(
    (slice) => slice.namespace === service.namespace && slice.service === service.name,
  );
  const targets = slices.flatMap((slice) => targetsIn(view, slice, port));
  const sorted = targets.toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
  const notes =
    sorted.length === 0 ? [`Service ${name} has no endpoint for port ${port.port}`] : [];
  return { kind: "service", name, port: port.port, targets: sorted, notes };
}

function chosenPort({ ports }: Service, wanted: number | undefined): ServicePort | undefined {
  if (wanted !== undefined) return ports.find(({ port }) => port === wanted);
  return ports.length === 1 ? ports[0] : undefined;
}

/** Endpoints that are not ready are left out: nobody is sent there. */
function targetsIn(view: MeshView, slice: EndpointSlice, { name }: ServicePort): readonly Target[] {
  const port = slice.ports.find((entry) => entry.name === name)?.port;
  if (port === undefined) return [];
  return slice.endpoints
    .filter(({ ready, draining }) => ready || draining)
    .map(({ address, workload: uid, node }) => {
      const byUid = view.workloads.findLast((workload) => uid !== "" && workload.uid === uid);
      const pod = byUid ?? workloadAt(view, address);
      return pod ? targetOf(pod, address, port) : { workload: "", uid: "", node, address, port };
    });
}

function targetOf(pod: Workload, address: string, port: number): Target {
  const { namespace, name, uid, node } = pod;
  return { workload: `${namespace}/${name}`, uid, node, address, port };
}

function keyOf({ workload, address, port }: Target): string {
  return `${workload} ${address} ${port}`;
}

function unknown(reason: string): ResolvedDestination {
  return { kind: "unknown", reason };
}
