/**
 * Where the cluster's DNS is: TCP port 53 there goes past capture, as UDP does, so that names are found while no node
 * proxy runs. Only while it is outside the mesh: a DNS that has an identity is called by tunnel.
 */
import type { KubeObject } from "../resources/kube-object.ts";
import type { Service } from "../resources/service.ts";

/** Where clusters keep it. A Service elsewhere can call itself what it likes. */
const NAMESPACES = new Set(["kube-system", "openshift-dns"]);
const NAMES = new Set(["kube-dns", "dns-default"]);
const LABEL = "k8s-app";
/** NodeLocal DNSCache's own address by default. */
const NODE_LOCAL = "169.254.20.10";

export class ClusterDns {
  /** By `namespace/name`. */
  readonly #services = new Map<string, Service>();

  /** True where this changes what `addresses` gives. `service` is absent for one that is gone. */
  set({ metadata }: KubeObject, service: Service | undefined): boolean {
    const ref = `${metadata.namespace}/${metadata.name}`;
    const before = this.#services.get(ref)?.addresses.join() ?? "";
    const isDns = NAMES.has(metadata.name) || metadata.labels[LABEL] === "kube-dns";
    if (service && isDns && this.isIn(metadata.namespace)) this.#services.set(ref, service);
    else this.#services.delete(ref);
    return before !== (this.#services.get(ref)?.addresses.join() ?? "");
  }

  isIn(namespace: string): boolean {
    return NAMESPACES.has(namespace);
  }

  /** Of those outside the mesh, sorted. */
  addresses(isEnabled: (namespace: string) => boolean): readonly string[] {
    const outside = [...this.#services.values()].filter(({ namespace }) => !isEnabled(namespace));
    return [NODE_LOCAL, ...outside.flatMap(({ addresses }) => addresses)].toSorted();
  }
}
