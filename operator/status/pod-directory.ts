/** Names and nodes of all pods by their UID, the mesh's own pods included: what reports and tokens name is a UID. */
import type { KubeChange } from "../resources/kube-object.ts";
import { parsePod } from "../resources/pod.ts";

export interface PodPlace {
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
  readonly node: string;
}

export class PodDirectory {
  readonly #byUid = new Map<string, PodPlace>();
  readonly #byName = new Map<string, PodPlace>();

  /** The UID that went with this change, if one did. */
  observe({ kind, object }: KubeChange): string | undefined {
    if (object.kind !== "Pod") return undefined;
    const key = `${object.metadata.namespace}/${object.metadata.name}`;
    const before = this.#byName.get(key);
    const parsed = kind === "upsert" ? parsePod(object) : undefined;
    const pod = parsed?.kind === "accepted" ? parsed.value : undefined;
    if (before && before.uid !== pod?.uid) {
      this.#byName.delete(key);
      this.#byUid.delete(before.uid);
    }
    if (pod) {
      const { uid, namespace, name, node } = pod;
      const place = { uid, namespace, name, node };
      this.#byName.set(key, place);
      this.#byUid.set(uid, place);
    }
    return before && before.uid !== pod?.uid ? before.uid : undefined;
  }

  find(uid: string): PodPlace | undefined {
    return this.#byUid.get(uid);
  }
}
