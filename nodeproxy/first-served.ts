/**
 * Have the pods that were known at the start been served? What loads slowly and nobody waits for comes after that. One
 * that is not there any more is not waited for.
 */
import { ServedPods } from "./handover/served-pods.ts";

/** Longer than a traffic process takes to start beside this one. */
const WITHIN_MS = 500;

export class FirstServed {
  #pods: ServedPods | undefined;

  /** The traffic process accepts the pod's connections. */
  settled(uid: string): void {
    this.#pods?.settled(uid);
  }

  async wait(uids: readonly string[]): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#pods = new ServedPods(uids, resolve);
    const timer = setTimeout(resolve, WITHIN_MS);
    await promise;
    clearTimeout(timer);
  }
}
