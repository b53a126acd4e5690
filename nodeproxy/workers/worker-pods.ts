/**
 * The descriptors of captured pods, for all workers: each works with the namespace's as it is and with duplicates of
 * the listening sockets. Closed when the capture has ended and no worker is left that uses them.
 */
import type { ToTraffic } from "../channel/messages.ts";
import { closeDescriptor, inodeOf } from "../sys/descriptor.ts";
import type { WorkerPod } from "./messages.ts";

interface HeldPod {
  readonly message: WorkerPod;
  readonly inode: number;
  /** Workers that were told of it and have not left it. */
  readonly users: Set<number>;
  isClosed: boolean;
  /** Some worker accepts. */
  isListening: boolean;
  /** Workers were told to accept no more. */
  isStopped: boolean;
}

export type AddedPod =
  | { readonly kind: "added"; readonly pod: WorkerPod }
  | { readonly kind: "known"; readonly isListening: boolean }
  | { readonly kind: "wrong" };

export class WorkerPods {
  readonly #pods = new Map<string, HeldPod>();
  /** Ended ones that some worker still uses, by descriptor of the namespace. */
  readonly #leaving = new Map<number, HeldPod>();

  has(uid: string): boolean {
    return this.#pods.has(uid);
  }

  /** The descriptors are taken over. A new namespace of a known pod comes after `close` of the one before. */
  add(
    { uid, families }: Extract<ToTraffic, { readonly kind: "pod" }>,
    descriptors: readonly number[],
  ): AddedPod {
    const [namespaceFd, ...listenerFds] = descriptors;
    if (namespaceFd === undefined || listenerFds.length !== families.length * 3) {
      descriptors.forEach(closeDescriptor);
      return { kind: "wrong" };
    }
    const known = this.#pods.get(uid);
    if (known) {
      descriptors.forEach(closeDescriptor);
      return { kind: "known", isListening: known.isListening };
    }
    const message = { kind: "pod", uid, families, namespaceFd, listenerFds } as const;
    const inode = inodeOf(namespaceFd);
    const pod = {
      message,
      inode,
      users: new Set<number>(),
      isClosed: false,
      isListening: false,
      isStopped: false,
    };
    this.#pods.set(uid, pod);
    return { kind: "added", pod: message };
  }

  /** Whether the pod is there, with another namespace than this descriptor's or stopped. */
  isReplacedBy(uid: string, namespaceFd: number): boolean {
    const known = this.#pods.get(uid);
    return known !== undefined && (known.isStopped || known.inode !== inodeOf(namespaceFd));
  }

  /** What a worker that begins now must accept. */
  listening(): readonly WorkerPod[] {
    const pods = [...this.#pods.values()].filter(({ isStopped }) => !isStopped);
    return pods.map(({ message }) => message);
  }

  /** Another node proxy accepts from now on, until a pod comes again. */
  stopAll(): void {
    for (const pod of this.#pods.values()) pod.isStopped = true;
  }

  told({ uid }: WorkerPod, worker: number): void {
    this.#pods.get(uid)?.users.add(worker);
  }

  /** True the first time. */
  listens(uid: string): boolean {
    const pod = this.#pods.get(uid);
    if (!pod || pod.isListening) return false;
    pod.isListening = true;
    return true;
  }

  close(uid: string): void {
    const pod = this.#pods.get(uid);
    if (!pod) return;
    this.#pods.delete(uid);
    pod.isClosed = true;
    this.#leaving.set(pod.message.namespaceFd, pod);
    this.#closeIfUnused(pod);
  }

  /** The worker does not use the namespace's descriptor any more. */
  left(namespaceFd: number, worker: number): void {
    const all = [...this.#leaving.values(), ...this.#pods.values()];
    for (const pod of all) if (pod.message.namespaceFd === namespaceFd) this.#leave(pod, worker);
  }

  died(worker: number): void {
    for (const pod of [...this.#leaving.values(), ...this.#pods.values()]) this.#leave(pod, worker);
  }

  /** No worker is left. */
  closeAll(): void {
    for (const uid of this.#pods.keys()) this.close(uid);
  }

  #leave(pod: HeldPod, worker: number): void {
    pod.users.delete(worker);
    this.#closeIfUnused(pod);
  }

  #closeIfUnused({ message, users, isClosed }: HeldPod): void {
    if (!isClosed || users.size > 0) return;
    this.#leaving.delete(message.namespaceFd);
    for (const fd of [message.namespaceFd, ...message.listenerFds]) closeDescriptor(fd);
  }
}
