/** Names and nodes of all pods by their UID, the mesh's own pods included: what reports and tokens name is a UID. */
import type { KubeChange, KubeObject } from "../resources/kube-object.ts";
import { parsePod } from "../resources/pod.ts";

export interface PodPlace {
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
  readonly node: string;
}

interface Known extends PodPlace {
  readonly serviceAccount: string;
  /** Ended, or told to end. */
  readonly isEnding: boolean;
}

export class PodDirectory {
  readonly #byUid = new Map<string, Known>();
  readonly #byName = new Map<string, Known>();

  /** The UID that went with this change, if one did. */
  observe({ kind, object }: KubeChange): string | undefined {
    if (object.kind !== "Pod") return undefined;
    const key = `${object.metadata.namespace}/${object.metadata.name}`;
    const before = this.#byName.get(key);
    const pod = kind === "upsert" ? read(object) : undefined;
    if (before && before.uid !== pod?.uid) {
      this.#byName.delete(key);
      this.#byUid.delete(before.uid);
    }
    if (pod) {
      this.#byName.set(key, pod);
      this.#byUid.set(pod.uid, pod);
    }
    return before && before.uid !== pod?.uid ? before.uid : undefined;
  }

  find(uid: string): PodPlace | undefined {
    return this.#byUid.get(uid);
  }

  /** It is ending, and another pod of the same account lives on its node: an upgrade of a DaemonSet's pod. */
  isSuperseded(uid: string): boolean {
    const pod = this.#byUid.get(uid);
    if (!pod?.isEnding) return false;
    const { namespace, node, serviceAccount } = pod;
    return [...this.#byUid.values()].some(
      (other) =>
        !other.isEnding &&
        other.node === node &&
        other.namespace === namespace &&
        other.serviceAccount === serviceAccount,
    );
  }
}

function read(object: KubeObject): Known | undefined {
  const parsed = parsePod(object);
  if (parsed.kind === "refused") return undefined;
  const { uid, namespace, name, node, serviceAccount, ended } = parsed.value;
  const isEnding = ended || object.metadata.deletionTimestamp !== "";
  return { uid, namespace, name, node, serviceAccount, isEnding };
}
