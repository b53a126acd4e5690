/**
 * The traffic process as a main thread with workers: hands on to each what control says, and to control what they
 * say together. Carries no connection itself. Looks from outside as one `traffic-app.ts`.
 *
 * All workers accept on duplicates of one listening socket for each pod, port and family. One that dies takes its
 * connections with it; the others and the next serve what waits in the sockets' queues.
 */
import { randomBytes } from "node:crypto";
import type { Worker } from "node:worker_threads";
import type { Log } from "../../core/process/log.ts";
import type { FromTraffic, ToTraffic } from "../channel/messages.ts";
import { AppliedByAll } from "./applied-by-all.ts";
import { DenialAnswers } from "./denial-answers.ts";
import { HeldState } from "./held-state.ts";
import type { ForWorker, FromWorker, ToWorker, WorkerPod, WorkerStart } from "./messages.ts";
import { createMeterMemory, forgetMeterLocks, type MeterMemory } from "./shared-meters.ts";
import { createTableMemory, SharedTable, type TableMemory } from "./shared-table.ts";
import { type MainMetrics, SummedMetrics } from "./summed-metrics.ts";
import { SummedReports } from "./summed-reports.ts";
import { type Death, SupervisedWorker } from "./supervised-worker.ts";
import { UntilAll } from "./until-all.ts";
import { WorkerPods } from "./worker-pods.ts";

const REPORT_INTERVAL_MS = 1_000;

export interface TrafficWorkersOptions {
  readonly count: number;
  readonly log: Log;
  /** A thread of `traffic-worker-main.ts`. */
  readonly startThread: (start: Pick<WorkerStart, "index" | "memory" | "meters">) => Worker;
  readonly metrics: MainMetrics;
  /** On all metrics. */
  readonly labels: Readonly<Record<string, string>>;
  /** Lines of the access log. */
  readonly writeLines: (text: string) => void;
  readonly send: (message: FromTraffic) => void;
  /** A worker hangs and cannot be ended: the process must be, whatever its threads do. */
  readonly onStuck: (worker: number) => void;
}

export class TrafficWorkers {
  readonly #options: TrafficWorkersOptions;
  readonly #memory: TableMemory;
  readonly #meters: MeterMemory;
  readonly #table: SharedTable;
  readonly #workers: readonly SupervisedWorker[];
  readonly #pods = new WorkerPods();
  readonly #held = new HeldState((uid) => this.#pods.has(uid));
  readonly #reports = new SummedReports();
  readonly #reporting: NodeJS.Timeout;
  readonly #draining = new Set<UntilAll>();
  #leaving: UntilAll | undefined;
  /** Its threads are told to end. */
  #isEnding = false;
  readonly #applied: AppliedByAll;
  readonly #metrics: SummedMetrics;
  readonly #denials: DenialAnswers;
  #isListDue = false;

  constructor(options: TrafficWorkersOptions) {
    this.#options = options;
    const secret = randomBytes(32).toString("hex");
    this.#memory = createTableMemory(options.count, secret);
    this.#meters = createMeterMemory(secret);
    this.#table = new SharedTable(this.#memory);
    this.#applied = new AppliedByAll((sequence) => options.send({ kind: "applied", sequence }));
    this.#metrics = new SummedMetrics(options.metrics, (worker, id) =>
      this.#post(worker, { kind: "metrics_request", id }),
    );
    this.#denials = new DenialAnswers(options.send);
    this.#workers = Array.from({ length: options.count }, (_, index) => this.#supervise(index));
    this.#reporting = setInterval(() => this.#listConnections(), REPORT_INTERVAL_MS).unref();
    for (const worker of this.#workers) worker.start();
  }

  /** What control says. The descriptors are taken over. */
  onMessage(message: ToTraffic, descriptors: readonly number[]): void {
    switch (message.kind) {
      case "pod":
        this.#addPod(message, descriptors);
        return;
      case "metrics_request":
        void this.#tellMetrics(message.id);
        return;
      case "denial_request":
        this.#denials.begin(message.id, this.#alive());
        this.#tellAll(message);
        return;
      case "drain":
        void this.#drained().then(() => this.#options.send({ kind: "drained" }));
        return;
      case "pod_closed":
        this.#closePod(message.uid);
        return;
      case "changes":
      case "leaf":
      case "leaf_dropped":
        this.#held.take(message);
        if (message.kind === "changes") this.#applied.begin(message.sequence, this.#alive());
        this.#tellAll(message);
        return;
    }
  }

  /** As each worker does by itself; resolves once all have. */
  async leave(withinMs: number): Promise<void> {
    this.#leaving = new UntilAll(this.#alive());
    for (const [index, worker] of this.#workers.entries()) {
      worker.beLast();
      this.#post(index, { kind: "leave", withinMs });
    }
    await this.#leaving.all();
  }

  /** Stops accepting until pods come again. */
  async #drained(): Promise<void> {
    this.#pods.stopAll();
    const draining = new UntilAll(this.#alive());
    this.#draining.add(draining);
    this.#tellAll({ kind: "drain" });
    await draining.all();
    this.#draining.delete(draining);
  }

  /** Ends everything now; resolves once all workers have ended. */
  async close(): Promise<void> {
    this.#isEnding = true;
    clearInterval(this.#reporting);
    for (const worker of this.#workers) {
      worker.beLast();
      worker.post({ kind: "close" });
    }
    await Promise.all(this.#workers.map((worker) => worker.ended()));
    this.#pods.closeAll();
  }

  #supervise(index: number): SupervisedWorker {
    return new SupervisedWorker({
      start: () => this.#options.startThread({ index, memory: this.#memory, meters: this.#meters }),
      beats: () => this.#table.beatsOf(index),
      onStarted: () => this.#begin(index),
      onMessage: (message) => this.#heard(index, message),
      onDied: (death) => this.#died(index, death),
      onStuck: () => this.#options.onStuck(index),
    });
  }

  /** In the order in which control tells a new process. */
  #begin(index: number): void {
    for (const message of this.#held.all()) this.#post(index, { kind: "told", message });
    for (const pod of this.#pods.listening()) this.#tellPod(index, pod);
  }

  #died(index: number, death: Death): void {
    const { log } = this.#options;
    const isOrderly = this.#isEnding && death.reason === "exit";
    if (!isOrderly) {
      const { reason, error } = death;
      const connections = this.#reports.openOf(index);
      const facts = { code: "worker_died", worker: index, reason, connections };
      log.error({ ...facts, ...(error === undefined ? {} : { err: error }) }, "worker died");
      void this.#metrics.died(index, reason);
    }
    this.#table.forget(index);
    forgetMeterLocks(this.#meters, index);
    this.#pods.died(index);
    this.#reports.died(index);
    this.#isListDue = true;
    this.#tellIssuers();
    for (const worker of this.#workers) worker.post({ kind: "freed" });
    this.#applied.died(index);
    this.#denials.died(index);
    this.#hasDrained(index);
    this.#leaving?.done(index);
  }

  #heard(index: number, message: FromWorker): void {
    switch (message.kind) {
      case "tells":
        this.#reported(index, message.message);
        return;
      case "left":
        this.#pods.left(message.namespaceFd, index);
        return;
      case "grants":
        this.#post(message.worker, { kind: "granted", service: message.service });
        return;
      case "metrics":
        this.#metrics.answered(index, message);
        return;
      case "gone":
        this.#leaving?.done(index);
        return;
      case "lines":
        this.#options.writeLines(message.text);
        return;
    }
  }

  #reported(index: number, message: FromTraffic): void {
    switch (message.kind) {
      case "connections":
        this.#reports.setConnections(index, message.open);
        this.#isListDue = true;
        return;
      case "tunnel_issuers":
        this.#reports.setIssuers(index, message.issuers);
        this.#tellIssuers();
        return;
      case "listening":
        if (this.#pods.listens(message.uid)) this.#options.send(message);
        return;
      case "applied":
        this.#applied.done(message.sequence, index);
        return;
      case "denial":
        this.#denials.answered(message, index);
        return;
      case "drained":
        this.#hasDrained(index);
        return;
      case "hello":
      case "alive":
      case "metrics":
        // Of the line and of the main thread.
        return;
    }
  }

  #addPod(
    message: Extract<ToTraffic, { readonly kind: "pod" }>,
    descriptors: readonly number[],
  ): void {
    const { uid, families } = message;
    const [namespaceFd] = descriptors;
    if (namespaceFd !== undefined && this.#pods.isReplacedBy(uid, namespaceFd)) this.#closePod(uid);
    const added = this.#pods.add(message, descriptors);
    switch (added.kind) {
      case "added":
        for (const index of this.#workers.keys()) this.#tellPod(index, added.pod);
        return;
      case "known":
        if (added.isListening) this.#options.send({ kind: "listening", uid });
        return;
      case "wrong":
        this.#options.log.error(
          { uid, families, descriptors: descriptors.length },
          "pod with a wrong number of descriptors refused",
        );
        return;
    }
  }

  #closePod(uid: string): void {
    this.#tellAll({ kind: "pod_closed", uid });
    this.#pods.close(uid);
    const changes = this.#held.podClosed(uid);
    if (changes.removals.length > 0) this.#tellAll({ kind: "changes", changes });
  }

  #tellAll(message: ForWorker): void {
    for (const index of this.#workers.keys()) this.#post(index, { kind: "told", message });
  }

  #tellPod(index: number, pod: WorkerPod): void {
    if (this.#post(index, pod)) this.#pods.told(pod, index);
  }

  #alive(): ReadonlySet<number> {
    const indexes = [...this.#workers.keys()];
    return new Set(indexes.filter((index) => this.#workers[index]?.isAlive));
  }

  /** False where there is no thread; the next begins with everything. */
  #post(index: number, message: ToWorker): boolean {
    return this.#workers[index]?.post(message) ?? false;
  }

  #hasDrained(index: number): void {
    for (const draining of this.#draining) draining.done(index);
  }

  #tellIssuers(): void {
    if (!this.#reports.hasIssuersOf(this.#options.count)) return;
    this.#options.send({ kind: "tunnel_issuers", issuers: this.#reports.issuers() });
  }

  #listConnections(): void {
    if (!this.#isListDue) return;
    this.#isListDue = false;
    this.#options.send({ kind: "connections", open: this.#reports.connections() });
  }

  async #tellMetrics(id: number): Promise<void> {
    const { count, labels, send } = this.#options;
    send({ kind: "metrics", id, text: await this.#metrics.text(count, labels) });
  }
}
