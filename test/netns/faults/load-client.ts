/**
 * Load from one pod: new connections at a steady pace, whatever became of those before; some that are
 * kept and asked again and again; and ones that a policy forbids. Remembers each failure with its times.
 */
import type { Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { CorruptError } from "./checked-text.ts";
import { ask, exchange, openSocket } from "./exchange.ts";
import type { Failure, Pace, Tally, Target } from "./load-messages.ts";

const PACE: Pace = { perSecond: 100, atOnce: 10_000 };
const LOOK_MS = 2;
const KEPT = 4;
const KEPT_EVERY_MS = 20;
const FORBIDDEN_EVERY_MS = 50;
/** Well above what a killed process takes to start again on a busy machine. */
const PATIENCE_MS = 120_000;

export interface LoadTargets {
  readonly target: Target;
  readonly forbidden: readonly Target[];
  readonly pace?: Pace;
}

export class Load {
  readonly #targets: LoadTargets;
  readonly #timers: readonly NodeJS.Timeout[];
  readonly #open = new Set<Promise<void>>();
  readonly #waiting: { readonly ended: number; readonly resolve: () => void }[] = [];
  readonly #failures: Failure[] = [];
  readonly #broken: Failure[] = [];
  readonly #corrupt: Failure[] = [];
  #isStopped = false;
  readonly #answers: (readonly [number, number])[] = [];
  readonly #begunMs = now();
  #begun = 0;
  #unanswered = 0;
  #keptAnswers = 0;
  #lastAnswerMs = now();
  #longestGapMs = 0;
  #forbiddenTried = 0;
  #forbiddenAnswered = 0;

  constructor(targets: LoadTargets) {
    this.#targets = targets;
    this.#timers = [
      setInterval(() => this.#askDue(), LOOK_MS),
      setInterval(() => this.#follow(this.#askForbidden()), FORBIDDEN_EVERY_MS),
    ];
    for (let i = 0; i < KEPT; i += 1) this.#follow(this.#keepAsking());
  }

  /** Resolves once every connection has been answered or has failed. */
  async finish(): Promise<Tally> {
    this.#isStopped = true;
    for (const timer of this.#timers) clearInterval(timer);
    await Promise.all(this.#open);
    return {
      answered: this.#answers.length,
      answers: this.#answers,
      kept: this.#keptAnswers,
      failures: this.#failures,
      broken: this.#broken,
      corrupt: this.#corrupt,
      longestGapMs: Math.round(this.#longestGapMs),
      forbiddenTried: this.#forbiddenTried,
      forbiddenAnswered: this.#forbiddenAnswered,
    };
  }

  #follow(work: Promise<void>): void {
    this.#open.add(work);
    void work.finally(() => this.#open.delete(work));
  }

  /** Resolves once so many new connections have been answered or have failed. */
  async reached(ended: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.push({ ended, resolve });
    this.#wake();
    await promise;
  }

  #wake(): void {
    const ended = this.#answers.length + this.#failures.length;
    for (const waiter of this.#waiting) if (waiter.ended <= ended) waiter.resolve();
  }

  /** As many as the clock demands, however late this is called. */
  #askDue(): void {
    const { perSecond, atOnce } = this.#targets.pace ?? PACE;
    for (; this.#begun < ((now() - this.#begunMs) / 1000) * perSecond; this.#begun += 1) {
      if (this.#unanswered < atOnce) this.#follow(this.#askOnce());
    }
  }

  async #askOnce(): Promise<void> {
    const startedMs = now();
    this.#unanswered += 1;
    try {
      await ask(this.#targets.target, PATIENCE_MS);
      const endedMs = now();
      this.#answers.push([startedMs, endedMs]);
      this.#longestGapMs = Math.max(this.#longestGapMs, endedMs - this.#lastAnswerMs);
      this.#lastAnswerMs = endedMs;
    } catch (error) {
      this.#remember(error, startedMs, this.#failures);
    }
    this.#unanswered -= 1;
    this.#wake();
  }

  #remember(error: unknown, startedMs: number, failures: Failure[]): void {
    const failure = { startedMs, endedMs: now(), message: String(error) };
    failures.push(failure);
    if (error instanceof CorruptError) this.#corrupt.push(failure);
  }

  async #askForbidden(): Promise<void> {
    const { forbidden } = this.#targets;
    const target = forbidden[this.#forbiddenTried % forbidden.length];
    if (!target) return;
    this.#forbiddenTried += 1;
    try {
      await ask(target, PATIENCE_MS);
      this.#forbiddenAnswered += 1;
    } catch {
      // As it should.
    }
  }

  async #keepAsking(): Promise<void> {
    while (!this.#isStopped) {
      const startedMs = now();
      const socket = openSocket(this.#targets.target);
      try {
        await this.#askUntilStopped(socket);
      } catch (error) {
        this.#remember(error, startedMs, this.#broken);
        await delay(KEPT_EVERY_MS);
      }
      socket.destroy();
    }
  }

  async #askUntilStopped(socket: Socket): Promise<void> {
    while (!this.#isStopped) {
      await exchange(socket, PATIENCE_MS);
      this.#keptAnswers += 1;
      await delay(KEPT_EVERY_MS);
    }
  }
}

/** Comparable between the processes of one machine. */
function now(): number {
  return performance.timeOrigin + performance.now();
}
