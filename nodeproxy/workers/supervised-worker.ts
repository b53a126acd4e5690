/**
 * One worker for as long as the process lives: started, and started again when its thread dies or hangs. Says so,
 * and never decides what a worker does.
 */
import type { Worker } from "node:worker_threads";
import { backoffDelayMs } from "../../core/process/backoff.ts";
import type { FromWorker, ToWorker } from "./messages.ts";

const BACKOFF = { minMs: 50, maxMs: 5_000 };
const LOOK_EVERY_MS = 1_000;
/** Looks without a sign of life; far above any pause for garbage, as for the process itself (`channel/heartbeat.ts`). */
const SILENT_AFTER = 10;
/** Looks after it was told to end. */
const STUCK_AFTER = 10;
/** While it loads its program, on a busy machine. */
const SILENT_AT_START = 60;
/** One that lived so long did not die of how it began: the next comes at once. */
const STEADY_MS = 10_000;

export const DEATHS = ["uncaught_error", "out_of_memory", "hang", "exit"] as const;
export type DeathReason = (typeof DEATHS)[number];

export interface Death {
  readonly reason: DeathReason;
  readonly error?: unknown;
}

export interface SupervisedWorkerOptions {
  readonly start: () => Worker;
  /** Grows while its event loop turns. */
  readonly beats: () => number;
  /** It knows nothing yet; `post` reaches it. */
  readonly onStarted: () => void;
  readonly onMessage: (message: FromWorker) => void;
  /** Its thread has ended, and with it every connection that it carried. */
  readonly onDied: (death: Death) => void;
  /**
   * It hangs and cannot be ended: V8 may collect garbage for ever near a heap's limit, and then not even the end of the
   * process waits for less than the thread (tried). Nothing but a SIGKILL helps.
   */
  readonly onStuck: () => void;
  /** For tests. */
  readonly lookEveryMs?: number;
}

export class SupervisedWorker {
  readonly #options: SupervisedWorkerOptions;
  readonly #looking: NodeJS.Timeout;
  readonly #ended = Promise.withResolvers<void>();
  #thread: Worker | undefined;
  #retry: NodeJS.Timeout | undefined;
  #attempt = 0;
  #sinceMs = 0;
  #beats = 0;
  #silent = 0;
  #hasBeaten = false;
  /** For its silence. */
  #isToEnd = false;
  #isLast = false;

  constructor(options: SupervisedWorkerOptions) {
    this.#options = options;
    this.#looking = setInterval(() => this.#look(), options.lookEveryMs ?? LOOK_EVERY_MS).unref();
  }

  start(): void {
    const thread = this.#options.start();
    let death: Death = { reason: "exit" };
    this.#thread = thread;
    this.#sinceMs = performance.now();
    this.#beats = this.#options.beats();
    [this.#silent, this.#hasBeaten, this.#isToEnd] = [0, false, false];
    thread.on("message", (message: FromWorker) => this.#options.onMessage(message));
    thread.on("error", (error: unknown) => {
      const { code } = error as NodeJS.ErrnoException;
      const isMemory = code === "ERR_WORKER_OUT_OF_MEMORY";
      death = { reason: isMemory ? "out_of_memory" : "uncaught_error", error };
    });
    thread.once("exit", () => {
      this.#thread = undefined;
      const isEnded = death.reason === "exit" && this.#isToEnd;
      this.#died(isEnded ? { reason: "hang" } : death);
    });
    this.#options.onStarted();
  }

  get isAlive(): boolean {
    return this.#thread !== undefined;
  }

  /** False while no thread is there. */
  post(message: ToWorker): boolean {
    this.#thread?.postMessage(message);
    return this.isAlive;
  }

  /** None follows it any more. */
  beLast(): void {
    this.#isLast = true;
    clearTimeout(this.#retry);
    if (!this.#thread) this.#ended.resolve();
  }

  /** Resolves once the last thread has ended. */
  async ended(): Promise<void> {
    await this.#ended.promise;
  }

  #died(death: Death): void {
    if (performance.now() - this.#sinceMs > STEADY_MS) this.#attempt = 0;
    this.#options.onDied(death);
    if (this.#isLast) {
      clearInterval(this.#looking);
      this.#ended.resolve();
      return;
    }
    const delayMs = this.#attempt === 0 ? 0 : backoffDelayMs(BACKOFF, this.#attempt, Math.random());
    this.#attempt += 1;
    this.#retry = setTimeout(() => this.start(), delayMs);
  }

  #look(): void {
    const beats = this.#options.beats();
    if (!this.#thread) return;
    if (beats !== this.#beats) {
      [this.#beats, this.#silent, this.#hasBeaten] = [beats, 0, true];
      return;
    }
    this.#silent += 1;
    const limit = this.#hasBeaten ? SILENT_AFTER : SILENT_AT_START;
    if (this.#silent === limit) {
      this.#isToEnd = true;
      void this.#thread.terminate();
    }
    if (this.#silent === limit + STUCK_AFTER) this.#options.onStuck();
  }
}
