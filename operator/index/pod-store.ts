/** The pods there are, found by name, UID, namespace or node. */
import type { Pod } from "../resources/pod.ts";

export class PodStore {
  readonly #byName = new Map<string, Pod>();
  readonly #byUid = new Map<string, Pod>();
  readonly #byNamespace = new Map<string, Map<string, Pod>>();
  readonly #byNode = new Map<string, Map<string, Pod>>();

  get(name: string): Pod | undefined {
    return this.#byName.get(name);
  }

  findByUid(uid: string): Pod | undefined {
    return this.#byUid.get(uid);
  }

  all(): Iterable<Pod> {
    return this.#byName.values();
  }

  inNamespace(namespace: string): Iterable<Pod> {
    return this.#byNamespace.get(namespace)?.values() ?? [];
  }

  onNode(node: string): Iterable<Pod> {
    return this.#byNode.get(node)?.values() ?? [];
  }

  /** The pod of that name before: the same one, or its predecessor with another UID. */
  put(pod: Pod): Pod | undefined {
    const name = podKey(pod);
    const before = this.drop(name);
    this.#byName.set(name, pod);
    this.#byUid.set(pod.uid, pod);
    place(this.#byNamespace, pod.namespace, pod);
    place(this.#byNode, pod.node, pod);
    return before;
  }

  drop(name: string): Pod | undefined {
    const pod = this.#byName.get(name);
    if (!pod) return undefined;
    this.#byName.delete(name);
    this.#byUid.delete(pod.uid);
    displace(this.#byNamespace, pod.namespace, name);
    displace(this.#byNode, pod.node, name);
    return pod;
  }
}

export function podKey({ namespace, name }: Pick<Pod, "namespace" | "name">): string {
  return `${namespace}/${name}`;
}

function place(groups: Map<string, Map<string, Pod>>, group: string, pod: Pod): void {
  const members = groups.get(group) ?? new Map<string, Pod>();
  members.set(podKey(pod), pod);
  groups.set(group, members);
}

function displace(groups: Map<string, Map<string, Pod>>, group: string, name: string): void {
  const members = groups.get(group);
  members?.delete(name);
  if (members?.size === 0) groups.delete(group);
}
