/**
 * The circuit to one Service: closed while it answers, open once so many requests in a row have failed, half open when a
 * few may try whether it answers again.
 *
 *   closed ── failures in a row ──► open ── its time is over ──► half open ── all good ──► closed
 *                                     ▲───────────── one bad ──────────┘
 *
 * Each time that it opens again it stays open twice as long. The clock is handed in.
 */
import type { BreakerSettings } from "../../core/model/http-settings.ts";

/** Shared by all worker threads where several carry the traffic. */
export interface BreakerMemory {
  /** In a row, while it is closed. */
  failures: number;
  /** Since it was closed; 0: it is. */
  openings: number;
  /** Of the requests that may try: those let through; 0: it is open. */
  tried: number;
  /** And those that went well. */
  good: number;
  /** Open: nobody may try before. Half open: who has not told by then is not waited for. */
  untilMs: number;
  /** Nobody else changes anything meanwhile. */
  exclusively<Result>(work: () => Result): Result;
}

/** How a request was let through: as any, or to try, and in which round of tries. To be told how it went, or that it did not go. */
export type Pass = "closed" | number;

export class Breaker {
  readonly #memory: BreakerMemory;

  constructor(memory: BreakerMemory = new LocalBreaker()) {
    this.#memory = memory;
  }

  /** Nobody may pass before some time. */
  isOpen(nowMs: number): boolean {
    const { openings, tried, untilMs } = this.#memory;
    return openings > 0 && tried === 0 && nowMs < untilMs;
  }

  /** `undefined`: the circuit is open. */
  tryPass(settings: BreakerSettings, nowMs: number): Pass | undefined {
    const memory = this.#memory;
    if (memory.openings === 0) return "closed";
    return memory.exclusively(() => {
      if (memory.openings === 0) return "closed";
      const isOver = nowMs >= memory.untilMs;
      if (memory.tried === 0 && !isOver) return undefined;
      if (isOver) {
        memory.tried = 0;
        memory.good = 0;
        memory.untilMs = nowMs + openMsOf(settings, memory.openings);
      } else if (memory.tried >= settings.halfOpenRequests) return undefined;
      memory.tried += 1;
      return memory.untilMs;
    });
  }

  succeeded(settings: BreakerSettings, pass: Pass): void {
    const memory = this.#memory;
    if (memory.openings === 0) {
      if (memory.failures > 0) memory.failures = 0;
    } else if (pass !== "closed") {
      memory.exclusively(() => {
        if (!isUnderWay(memory, pass)) return;
        memory.good += 1;
        if (memory.good >= settings.halfOpenRequests) close(memory);
      });
    }
  }

  /** True where this opens the circuit. */
  failed(settings: BreakerSettings, pass: Pass, nowMs: number): boolean {
    const memory = this.#memory;
    return memory.exclusively(() => {
      if (memory.openings === 0) {
        memory.failures += 1;
        if (memory.failures < settings.consecutiveFailures) return false;
      } else if (pass === "closed" || !isUnderWay(memory, pass)) return false;
      open(memory, nowMs + openMsOf(settings, memory.openings + 1));
      return true;
    });
  }

  /** It did not go, or nobody waited for its answer. */
  abandoned(pass: Pass, nowMs: number): void {
    if (pass === "closed") return;
    const memory = this.#memory;
    memory.exclusively(() => {
      if (!isUnderWay(memory, pass)) return;
      memory.tried -= 1;
      // It stands open, and the next one may try at once.
      if (memory.tried === 0) memory.untilMs = nowMs;
    });
  }
}

/** Others may have closed or opened it since, or have stopped waiting for this one. */
function isUnderWay({ openings, tried, untilMs }: BreakerMemory, round: number): boolean {
  return openings > 0 && tried > 0 && untilMs === round;
}

function openMsOf({ openMs, maxOpenMs }: BreakerSettings, openings: number): number {
  return Math.max(openMs, Math.min(openMs * 2 ** (openings - 1), maxOpenMs));
}

function open(memory: BreakerMemory, untilMs: number): void {
  memory.openings += 1;
  memory.failures = 0;
  memory.tried = 0;
  memory.good = 0;
  memory.untilMs = untilMs;
}

function close(memory: BreakerMemory): void {
  memory.openings = 0;
  memory.failures = 0;
  memory.tried = 0;
  memory.good = 0;
}

/** For one thread alone. */
class LocalBreaker implements BreakerMemory {
  failures = 0;
  openings = 0;
  tried = 0;
  good = 0;
  untilMs = 0;

  exclusively<Result>(work: () => Result): Result {
    return work();
  }
}
