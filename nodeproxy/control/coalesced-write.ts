/**
 * Writes something that changes often, but not each time: at most every `intervalMs`, and never while
 * a write is under way. The last state always gets written, at the latest by `close()`.
 */
import type { Log } from "../../core/process/log.ts";

/** A write that takes long is made seldom: at most a twentieth of the time goes into writing. */
const REST_FACTOR = 20;
/** After a write that failed. */
const RETRY_MS = 2_000;

export interface CoalescedWriteOptions {
  /** Of the log. */
  readonly name: string;
  readonly intervalMs: number;
  readonly write: () => Promise<void>;
  readonly log: Log;
}

export class CoalescedWrite {
  readonly #options: CoalescedWriteOptions;
  #timer: NodeJS.Timeout | undefined;
  #isDirty = false;
  #isOver = false;
  #notBefore = 0;
  #writing: Promise<void> = Promise.resolve();

  constructor(options: CoalescedWriteOptions) {
    this.#options = options;
  }

  /** Something changed. */
  request(): void {
    if (this.#isOver) return;
    this.#isDirty = true;
    if (this.#timer !== undefined) return;
    const waitMs = Math.max(this.#options.intervalMs, this.#notBefore - performance.now());
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      void this.#flush();
    }, waitMs);
  }

  /** Writes what is not written yet, and nothing ever after. */
  async close(): Promise<void> {
    this.#isOver = true;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    await this.#flush();
  }

  async #flush(): Promise<void> {
    this.#writing = this.#writing.then(async () => this.#writeOnce());
    await this.#writing;
  }

  async #writeOnce(): Promise<void> {
    if (!this.#isDirty) return;
    this.#isDirty = false;
    const started = performance.now();
    try {
      await this.#options.write();
      const ended = performance.now();
      this.#notBefore = ended + (ended - started) * REST_FACTOR;
    } catch (error) {
      // The mesh runs on without a snapshot; a full disk may have room later.
      this.#options.log.error({ err: error, file: this.#options.name }, "snapshot not written");
      this.#notBefore = performance.now() + RETRY_MS;
      this.request();
    }
  }
}
