/**
 * Whose job is next? Jobs wait by owner, and owners take turns, so that however many jobs one owner has,
 * another's first one waits for at most one job of each owner that waits too.
 *
 * One job a turn of the event loop: what arrives meanwhile is read in between. Bounded, for each owner
 * and together. Knows nothing of what a job does.
 */

export interface QueueLimits {
  /** Jobs that may wait for one owner. */
  readonly waitingPerOwner: number;
  /** Jobs that may wait together. */
  readonly waiting: number;
  /** Jobs that may be under way: those that wait for somebody else, since others end in their turn. */
  readonly underWay: number;
}

export type Full = "owner_full" | "full";

interface Job {
  readonly signal: AbortSignal;
  readonly run: () => Promise<void>;
  readonly giveUp: () => void;
}

export class FairQueue {
  readonly #limits: QueueLimits;
  /** The owner whose turn is next first; nobody without a job. */
  readonly #jobs = new Map<string, Job[]>();
  #waiting = 0;
  #underWay = 0;
  #isArranged = false;

  constructor(limits: QueueLimits) {
    this.#limits = limits;
  }

  get waiting(): number {
    return this.#waiting;
  }

  /** Why a job of this owner would not be taken now. */
  isFullFor(owner: string): Full | undefined {
    const own = this.#jobs.get(owner)?.length ?? 0;
    if (own >= this.#limits.waitingPerOwner) return "owner_full";
    return this.#waiting >= this.#limits.waiting ? "full" : undefined;
  }

  /** Where `isFullFor` says nothing against it. A job whose signal aborts before its turn is never run: rejects with its reason. */
  run<T>(owner: string, job: () => T | Promise<T>, signal: AbortSignal): Promise<T> {
    const full = this.isFullFor(owner);
    if (full) throw new RangeError(`the queue is ${full}`);
    return new Promise<T>((resolve, reject) => {
      const own = this.#jobs.get(owner) ?? [];
      own.push({
        signal,
        run: async () => {
          try {
            resolve(await job());
          } catch (error) {
            reject(error);
          }
        },
        giveUp: () => reject(signal.reason),
      });
      this.#jobs.set(owner, own);
      this.#waiting += 1;
      this.#arrange();
    });
  }

  #arrange(): void {
    if (this.#isArranged || this.#waiting === 0) return;
    if (this.#underWay >= this.#limits.underWay) return;
    this.#isArranged = true;
    setImmediate(() => {
      this.#isArranged = false;
      const job = this.#next();
      if (job) void this.#carry(job);
      this.#arrange();
    });
  }

  async #carry(job: Job): Promise<void> {
    this.#underWay += 1;
    await job.run();
    this.#underWay -= 1;
    this.#arrange();
  }

  /** Jobs that nobody waits for any more cost their owner no turn. */
  #next(): Job | undefined {
    for (const [owner, jobs] of this.#jobs) {
      const job = this.#takeLive(jobs);
      // To the end of the line, or out of it.
      this.#jobs.delete(owner);
      if (jobs.length > 0) this.#jobs.set(owner, jobs);
      if (job) return job;
    }
    return undefined;
  }

  #takeLive(jobs: Job[]): Job | undefined {
    for (let job = jobs.shift(); job; job = jobs.shift()) {
      this.#waiting -= 1;
      if (!job.signal.aborted) return job;
      job.giveUp();
    }
    return undefined;
  }
}
