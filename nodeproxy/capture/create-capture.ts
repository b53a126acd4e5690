/**
 * All captures of a node: starts one for each enrolment, ends them, audits them, and tells each what
 * the traffic process and the certificates say about its pod.
 *
 * Lives in the control process. Closing leaves every rule in place: only a release takes them out.
 */
import type { Enrolment } from "../../core/model/enrolment.ts";
import type { CaptureReport } from "../../core/model/node-report.ts";
import type { KeptPod } from "../channel/kept-descriptors.ts";
import type { FromTraffic } from "../channel/messages.ts";
import { closeDescriptor } from "../sys/descriptor.ts";
import type { CaptureParts } from "./capture-parts.ts";
import { PodCapture } from "./capture-pod.ts";
import { type ProcessScan, scanProcesses } from "./find-namespace.ts";

/** How often to look again while some pod waits; a starting pod stands behind its gate for as long. */
const PENDING_MS = 100;
/** Each look in vain makes the next one later, up to what it is while none waits. */
const PENDING_GROWTH = 1.05;
const IDLE_MS = 2000;
const AUDIT_MS = 30_000;

export interface Capture {
  /** All enrolments of this node; whoever is missing is released. Never before a snapshot or the operator told them. */
  readonly apply: (enrolments: ReadonlyMap<string, Enrolment>) => void;
  /** A hello came: hands it every pod. Call before the leaves and the configuration, or after; the order is free. */
  readonly trafficConnected: () => void;
  readonly received: (message: FromTraffic) => void;
  /** A leaf for the pod has gone to the traffic process. */
  readonly leafReady: (uid: string) => void;
  /**
   * No caller tunnels to the pod any more: its workload still exists and is no longer captured. Not to
   * be called because the pod was deleted: its rules stay for as long as a process runs in it.
   */
  readonly releaseSettled: (uid: string) => void;
  readonly reports: () => readonly CaptureReport[];
  /** Resolves once every pod known by now has been looked for, and its rules. Reports before do not know of captures that run. */
  readonly look: () => Promise<void>;
  /** Audits every pod now and resolves when all are done. */
  readonly audit: () => Promise<void>;
  readonly close: () => Promise<void>;
  /** Ends as `close` does, and gives all that it held: the descriptors are the caller's to close. */
  readonly handOver: () => Promise<readonly KeptPod[]>;
}

export function createCapture(parts: CaptureParts): Capture {
  const captures = new Captures(parts);
  return {
    apply: (enrolments) => {
      captures.apply(enrolments);
    },
    trafficConnected: () => {
      for (const pod of captures.pods.values()) pod.hand();
    },
    received: (message) => {
      captures.received(message);
    },
    leafReady: () => {
      captures.wake();
    },
    releaseSettled: (uid) => {
      captures.pods.get(uid)?.settle();
      captures.wake();
    },
    reports: () => [...captures.pods.values()].flatMap(({ report }) => report ?? []),
    look: async () => captures.look(),
    audit: async () => captures.audit(),
    close: async () => {
      for (const { descriptors } of await captures.end()) descriptors.forEach(closeDescriptor);
    },
    handOver: async () => captures.end(),
  };
}

class Captures {
  readonly pods = new Map<string, PodCapture>();
  readonly #parts: CaptureParts;
  readonly #adopted: Promise<void>;
  readonly #auditTimer: NodeJS.Timeout;
  #timer: NodeJS.Timeout | undefined;
  #pendingMs = PENDING_MS;
  #round: Promise<void> | undefined;
  #isAskedAgain = false;
  #isClosed = false;

  constructor(parts: CaptureParts) {
    this.#parts = parts;
    this.#adopted = this.#adopt();
    this.#auditTimer = setInterval(() => {
      void this.audit();
    }, AUDIT_MS);
  }

  apply(enrolments: ReadonlyMap<string, Enrolment>): void {
    for (const uid of enrolments.keys()) {
      if (!this.pods.has(uid)) this.pods.set(uid, new PodCapture(uid, this.#parts));
    }
    for (const [uid, pod] of this.pods) pod.enrol(enrolments.get(uid));
    this.wake();
  }

  received(message: FromTraffic): void {
    if (message.kind === "listening") this.pods.get(message.uid)?.listening();
    if (message.kind === "connections") {
      const busy = new Set(message.open.map(({ workload }) => workload));
      for (const [uid, pod] of this.pods) pod.connections(busy.has(uid));
    }
    if (message.kind !== "hello") this.wake();
  }

  /** Lets every pod go as far as it can, soon; many calls make one round. */
  wake(): void {
    this.#pendingMs = PENDING_MS;
    this.#lookSoon();
  }

  async look(): Promise<void> {
    await this.#each(async (pod, scan) => pod.advance(scan));
  }

  #lookSoon(): void {
    if (this.#isClosed) return;
    if (this.#round) {
      this.#isAskedAgain = true;
      return;
    }
    clearTimeout(this.#timer);
    this.#round = this.#goRound().finally(() => {
      this.#round = undefined;
      if (this.#isClosed) return;
      const isPending = [...this.pods.values()].some(({ phase }) => phase !== "captured");
      this.#pendingMs = Math.min(IDLE_MS, this.#pendingMs * PENDING_GROWTH);
      const delayMs = isPending ? this.#pendingMs : IDLE_MS;
      this.#timer = setTimeout(
        () => {
          this.#lookSoon();
        },
        this.#isAskedAgain ? 0 : delayMs,
      );
      this.#isAskedAgain = false;
    });
  }

  async audit(): Promise<void> {
    await this.#each(async (pod, scan) => pod.audit(scan));
  }

  async end(): Promise<readonly KeptPod[]> {
    this.#isClosed = true;
    clearInterval(this.#auditTimer);
    clearTimeout(this.#timer);
    await this.#adopted;
    await this.#round;
    const held = await Promise.all([...this.pods.values()].map(async (pod) => pod.detach()));
    return held.filter((pod) => pod !== undefined);
  }

  async #adopt(): Promise<void> {
    const all = this.#parts.kept?.takeAll() ?? [];
    await Promise.all(
      all.map(async (kept) => {
        if (this.pods.has(kept.uid)) {
          // Killed in the middle of capturing a new namespace of the pod; the first is looked after.
          kept.descriptors.forEach(closeDescriptor);
          this.#parts.kept?.forget(kept.uid, kept.inode);
          return;
        }
        // Registered at once, so that the first `apply` finds it.
        const pod = new PodCapture(kept.uid, this.#parts);
        this.pods.set(kept.uid, pod);
        const adopted = pod.adopt(kept);
        // Its connections wait, and rules take their time to be read.
        pod.hand();
        await adopted;
      }),
    );
  }

  async #goRound(): Promise<void> {
    await this.look();
    for (const [uid, pod] of this.pods) {
      if (pod.phase !== "closed") continue;
      this.pods.delete(uid);
      this.#parts.onClosed(uid);
    }
  }

  async #each(act: (pod: PodCapture, scan: ProcessScan) => Promise<void>): Promise<void> {
    await this.#adopted;
    const scan = scanProcesses();
    await Promise.all([...this.pods.values()].map(async (pod) => act(pod, scan)));
  }
}
