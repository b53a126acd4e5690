/** Who is meant by `--from`: what it proves, from where it calls, and whether its node tunnels for it. Pure. */
import { canonicalIp } from "../../core/model/ip.ts";
import {
  formatSpiffeId,
  isSpiffeId,
  parseSpiffeId,
  type SpiffeId,
} from "../../core/model/spiffe-id.ts";
import type { Workload } from "../../core/model/workload.ts";
import { type MeshView, workloadAt, workloadNamed } from "./mesh-view.ts";
import type { Caller } from "./why-answer.ts";

export type ResolvedCaller =
  | { readonly kind: "caller"; readonly caller: Caller; readonly notes: readonly string[] }
  | { readonly kind: "unknown"; readonly reason: string };

const NAME = /^(?:(sa|pod):)?([^/:]+\/[^/:]+)$/;

/** A bare `NAMESPACE/NAME` is a pod if there is one, else a service account. */
export function resolveCaller(view: MeshView, from: string): ResolvedCaller {
  const address = canonicalIp(from);
  if (address !== undefined) return callerAt(view, address);
  if (from.startsWith("spiffe://")) return callerWith(from);
  const [, kind, ref = ""] = NAME.exec(from) ?? [];
  if (ref === "") {
    return unknown(`--from ${from}: none of NAMESPACE/NAME, sa:, pod:, spiffe:// and an address`);
  }
  const pod = kind === "sa" ? undefined : workloadNamed(view, ref);
  if (pod) return { kind: "caller", caller: podCaller(view, pod), notes: notesOn(view, pod) };
  if (kind === "pod") return unknown(`--from ${from}: the mesh knows no such pod with an address`);
  return accountCaller(view, ref);
}

function callerAt(view: MeshView, address: string): ResolvedCaller {
  const pod = workloadAt(view, address);
  if (pod) {
    const caller = { ...podCaller(view, pod), address };
    return { kind: "caller", caller, notes: notesOn(view, pod) };
  }
  const caller: Caller = { kind: "address", name: address, address, tunnels: false };
  return { kind: "caller", caller, notes: [] };
}

function callerWith(uri: string): ResolvedCaller {
  const identity = parseSpiffeId(uri);
  if (!identity) return unknown(`--from ${uri}: not spiffe://DOMAIN/ns/NAMESPACE/sa/ACCOUNT`);
  const caller: Caller = { kind: "identity", name: uri, identity, address: "", tunnels: true };
  return { kind: "caller", caller, notes: [] };
}

function podCaller(view: MeshView, pod: Workload): Caller {
  const identity = identityOf(view, pod);
  return {
    kind: "pod",
    name: `${pod.namespace}/${pod.name}`,
    ...(identity ? { identity } : {}),
    address: pod.addresses[0] ?? "",
    tunnels: pod.tunnel,
  };
}

function notesOn(view: MeshView, pod: Workload): readonly string[] {
  const name = `${pod.namespace}/${pod.name}`;
  if (!pod.tunnel) return [`${name} is not captured, so it calls without an identity`];
  const isAccountToo =
    pod.serviceAccount !== pod.name &&
    view.workloads.some(
      ({ namespace, serviceAccount }) => namespace === pod.namespace && serviceAccount === pod.name,
    );
  return isAccountToo ? [`${name} is read as the pod; sa:${name} is another caller`] : [];
}

/** The address of one pod stands for all of them. */
function accountCaller(view: MeshView, ref: string): ResolvedCaller {
  const [namespace = "", serviceAccount = ""] = ref.split("/");
  const pods = view.workloads
    .filter((pod) => pod.namespace === namespace && pod.serviceAccount === serviceAccount)
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));
  const pod = pods.find(({ tunnel }) => tunnel) ?? pods[0];
  const identity = identityOf(view, { namespace, serviceAccount });
  if (!identity) return unknown(`--from ${ref}: cannot be part of an identity`);
  const address = pod?.addresses[0] ?? "";
  const caller: Caller = {
    kind: "service_account",
    name: ref,
    identity,
    address,
    tunnels: pod?.tunnel ?? true,
  };
  return { kind: "caller", caller, notes: accountNotes({ ref, pods, pod }) };
}

interface FoundPods {
  readonly ref: string;
  readonly pods: readonly Workload[];
  readonly pod: Workload | undefined;
}

function accountNotes({ ref, pods, pod }: FoundPods): readonly string[] {
  if (!pod) return [`no pod runs as ${ref}: its address is not known`];
  if (!pod.tunnel) return [`no pod of ${ref} is captured, so they call without an identity`];
  const others = pods.filter(({ tunnel }) => !tunnel).map(({ name }) => name);
  return [
    ...(pods.length > 1 ? [`the address is that of pod ${pod.name}, one of ${pods.length}`] : []),
    ...(others.length > 0 ? [`not captured, so without an identity: ${others.join(", ")}`] : []),
  ];
}

function identityOf(
  { settings }: MeshView,
  { namespace, serviceAccount }: Pick<Workload, "namespace" | "serviceAccount">,
): SpiffeId | undefined {
  const trustDomain = settings?.trustDomain ?? "cluster.local";
  const identity = { trustDomain, namespace, serviceAccount };
  return isSpiffeId(identity) && formatSpiffeId(identity).length <= 2048 ? identity : undefined;
}

function unknown(reason: string): ResolvedCaller {
  return { kind: "unknown", reason };
}
