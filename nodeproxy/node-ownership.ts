/**
 * What belongs to whoever is the node's proxy: the run directory with its snapshot, and the capture of pods. Taken over
 * from the one before, given to the one after, and taken back where that one goes: a node never stays without a proxy
 * while one lives on it.
 *
 * Knows the order of these steps; what snapshot and capture do is told by who makes them.
 */
import { existsSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Log } from "../core/process/log.ts";
import type { Capture } from "./capture/create-capture.ts";
import type { KeptDescriptors, KeptPod } from "./channel/kept-descriptors.ts";
import type { Snapshot } from "./control/snapshot.ts";
import { type HandOver, openHandOver } from "./handover/hand-over.ts";
import { type RunDirLock, tryLockRunDir } from "./handover/run-dir-lock.ts";
import { ServedPods } from "./handover/served-pods.ts";
import { handOverPath, removeOldLines, type TakenOver, takeOver } from "./handover/take-over.ts";
import { closeDescriptor } from "./sys/descriptor.ts";

/** Between two looks whether the next one still lives. */
const REGAIN_MS = 1_000;

export interface NodeOwnershipOptions {
  readonly runDir: string;
  /** This pod's alone, and as long-lived: there it is noted that another has been given the node. */
  readonly lineDir: string;
  readonly log: Log;
  /** `undefined` where no keeper runs: then nothing can be kept of what is given. */
  readonly kept: KeptDescriptors | undefined;
  readonly openSnapshot: () => Promise<Snapshot>;
  /** Finds what the keeper holds. */
  readonly openCapture: () => Capture;
  /** Another process is the node's proxy still. */
  readonly onWait: () => void;
  /** The pods that were given are served here. */
  readonly onServed: () => void;
  /** Pods, files and reports are the next one's. */
  readonly onGiven: () => void;
  /** The next one serves the pods: the own traffic process may stop accepting. */
  readonly onSuperseded: () => void;
  /** They are ours again: everything that is known has to be written again. */
  readonly onGivenBack: () => void;
}

export class NodeOwnership {
  readonly #options: NodeOwnershipOptions;
  readonly #stop = new AbortController();
  #lock: RunDirLock | undefined;
  #taken: TakenOver | undefined;
  #served: ServedPods | undefined;
  #handOver: HandOver | undefined;
  #snapshot: Snapshot | undefined;
  #capture: Capture | undefined;
  #regaining: Promise<void> = Promise.resolve();

  constructor(options: NodeOwnershipOptions) {
    this.#options = options;
  }

  /** `undefined` before `begin` and once it is the next one's. */
  get snapshot(): Snapshot | undefined {
    return this.#snapshot;
  }

  /** `undefined` before `open` and once it is the next one's. */
  get capture(): Capture | undefined {
    return this.#capture;
  }

  /** UIDs of the pods that the one before has given, and serves until `onServed`. */
  get taken(): readonly string[] {
    return this.#taken?.pods.map(({ uid }) => uid) ?? [];
  }

  /** Resolves once the run directory is ours alone. Rejects with the signal's reason. */
  async begin(signal: AbortSignal): Promise<void> {
    const { runDir, log, onWait, openSnapshot } = this.#options;
    // After a crash with the node given away: who was given it must not be asked for it, or the two would do nothing else.
    const mayAsk = !existsSync(this.#noteFile);
    this.#taken = await takeOver({ runDir, mayAsk, log, onWait, signal });
    this.#lock = this.#taken.lock;
    rmSync(this.#noteFile, { force: true });
    this.#snapshot = await openSnapshot();
  }

  /** Captures what was given and whatever the keeper held, and lets the next node proxy ask. */
  async open(): Promise<void> {
    const pods = this.#taken?.pods ?? [];
    this.#served = new ServedPods(this.taken, () => {
      this.#taken?.confirm();
      this.#options.onServed();
    });
    for (const pod of pods) {
      this.#options.kept?.keep(pod);
      for (const fd of pod.descriptors) closeDescriptor(fd);
    }
    this.#capture = this.#options.openCapture();
    await this.#offer();
  }

  /** The traffic process accepts the pod's connections, or the pod has ended. */
  settled(uid: string): void {
    this.#served?.settled(uid);
  }

  /** This process is about to end: once the node is another's it stays so. */
  resign(): void {
    this.#stop.abort();
  }

  /** Leaves rules and listeners as they are. */
  async close(): Promise<void> {
    this.resign();
    this.#served?.close();
    await this.#regaining;
    await this.#handOver?.close();
    await this.#capture?.close();
    await this.#snapshot?.close();
    // Whoever has the node now could not open these sockets anew while they are held here.
    if (existsSync(this.#noteFile)) this.#options.kept?.forgetAll();
    this.#lock?.release();
  }

  get #noteFile(): string {
    return join(this.#options.lineDir, "given-away");
  }

  async #offer(): Promise<void> {
    const { runDir, log, onSuperseded } = this.#options;
    removeOldLines(runDir);
    const linePath = handOverPath(runDir);
    this.#handOver = await openHandOver({
      linePath,
      log,
      give: () => this.#give(),
      lock: () => this.#lock?.fd ?? -1,
      onReceived: () => this.#release(),
      onTakenOver: () => {
        this.#release();
        onSuperseded();
        this.#regaining = this.#regain();
      },
      onGivenBack: () => {
        this.#regaining = this.#regain();
      },
    });
    this.#lock?.tellLine(linePath);
  }

  async #give(): Promise<readonly KeptPod[]> {
    writeFileSync(this.#noteFile, "");
    this.#options.onGiven();
    const [capture, snapshot] = [this.#capture, this.#snapshot];
    this.#capture = undefined;
    this.#snapshot = undefined;
    const [pods = []] = await Promise.all([capture?.handOver(), snapshot?.close()]);
    return pods;
  }

  /** Waits for the end of whoever was given the node, and is its proxy again then. */
  async #regain(): Promise<void> {
    const { runDir, log, openSnapshot, openCapture, onGivenBack } = this.#options;
    const { signal } = this.#stop;
    while (!signal.aborted) {
      this.#lock ??= tryLockRunDir(runDir);
      if (this.#lock) break;
      await delay(REGAIN_MS, undefined, { signal }).catch(() => undefined);
    }
    await this.#handOver?.close();
    this.#handOver = undefined;
    if (signal.aborted) return;
    log.warn({ runDir }, "the next node proxy has gone: this one goes on");
    rmSync(this.#noteFile, { force: true });
    this.#snapshot = await openSnapshot();
    this.#capture = openCapture();
    onGivenBack();
    await this.#offer();
  }

  #release(): void {
    this.#lock?.release();
    this.#lock = undefined;
  }
}
