/** How many nodes the rotations of the CA wait for, as their status says: what an alert looks at. */
import type { KubeChange } from "../resources/kube-object.ts";
import { asRecord, recordsOf } from "../resources/narrow.ts";

const OVER: ReadonlySet<unknown> = new Set(["Complete", "Aborted", "Refused"]);

export class RotationWaits {
  /** Name of the CARotation → nodes. */
  readonly #waiting = new Map<string, number>();

  observe({ kind, object }: KubeChange): void {
    if (object.kind !== "CARotation") return;
    const { name } = object.metadata;
    const status = asRecord(object.status);
    const nodes = recordsOf(status?.["nodes"]).filter(({ state }) => state === "Waiting");
    const isOver = kind === "delete" || OVER.has(status?.["phase"]);
    if (isOver || nodes.length === 0) this.#waiting.delete(name);
    else this.#waiting.set(name, nodes.length);
  }

  nodes(): number {
    return [...this.#waiting.values()].reduce((sum, count) => sum + count, 0);
  }
}
