/**
 * When may the node proxy before stop accepting? Once every pod that it has given is served here, or is gone.
 *
 * No time ends the waiting: as long as a pod is not served here, the other serves it, and the upgrade goes no further.
 */
export class ServedPods {
  readonly #waiting: Set<string>;
  readonly #onServed: () => void;
  #isTold = false;

  /** `onServed` is called once, perhaps at once. */
  constructor(uids: readonly string[], onServed: () => void) {
    this.#waiting = new Set(uids);
    this.#onServed = onServed;
    this.#look();
  }

  /** The traffic process accepts the pod's connections, or the pod has ended. */
  settled(uid: string): void {
    this.#waiting.delete(uid);
    this.#look();
  }

  close(): void {
    this.#isTold = true;
  }

  #look(): void {
    if (this.#isTold || this.#waiting.size > 0) return;
    this.#isTold = true;
    this.#onServed();
  }
}
