/**
 * May one request more be sent again? So that retries never become a storm: within any interval as many as a share of the
 * requests that began in it, and a few beside.
 *
 * Counted in eighths of the interval. Requests count from their eighth's beginning until that is an interval ago, retries
 * until all of their eighth is: never too many, and up to an eighth too few. The clock is handed in.
 */
import type { RetryBudget as BudgetSettings } from "../../core/model/http-settings.ts";

const PARTS = 8;
/** With the one that is partly behind the interval. */
export const BUDGET_SLOTS = PARTS + 1;

/** What began within one part of the interval. */
export interface BudgetSlot {
  /** Which one it is, counted from the clock's zero; what stands here of another is of the past. */
  part: number;
  requests: number;
  retries: number;
  addRequest(): void;
}

/** Shared by all worker threads where several carry the traffic. */
export interface BudgetMemory {
  /** `BUDGET_SLOTS` of them. */
  readonly slots: readonly BudgetSlot[];
  /** That time on the clock that all who share this read alike. */
  sharedMs(nowMs: number): number;
  /** Nobody else begins a part or takes a retry meanwhile. */
  exclusively<Result>(work: () => Result): Result;
}

export class RetryBudget {
  readonly #memory: BudgetMemory;

  constructor(memory: BudgetMemory = new LocalBudget()) {
    this.#memory = memory;
  }

  /** One that is no retry. */
  requestBegan(settings: BudgetSettings, nowMs: number): void {
    const part = this.#partAt(settings, nowMs);
    if (this.#slot(part)?.part === part) this.#slot(part)?.addRequest();
    else this.#memory.exclusively(() => this.#begun(part)?.addRequest());
  }

  /** True: it is counted, and may be sent. */
  tryTake(settings: BudgetSettings, nowMs: number): boolean {
    const part = this.#partAt(settings, nowMs);
    return this.#memory.exclusively(() => {
      const slot = this.#begun(part);
      const { requests, retries } = this.#within(part);
      const most = Math.floor((requests * settings.percent) / 100) + settings.minRetries;
      if (!slot || retries >= most) return false;
      slot.retries += 1;
      return true;
    });
  }

  #partAt({ intervalMs }: BudgetSettings, nowMs: number): number {
    return Math.floor(this.#memory.sharedMs(nowMs) / Math.ceil(intervalMs / PARTS));
  }

  #slot(part: number): BudgetSlot | undefined {
    return this.#memory.slots[part % BUDGET_SLOTS];
  }

  #begun(part: number): BudgetSlot | undefined {
    const slot = this.#slot(part);
    if (slot && slot.part !== part) {
      slot.requests = 0;
      slot.retries = 0;
      slot.part = part;
    }
    return slot;
  }

  #within(part: number): { readonly requests: number; readonly retries: number } {
    let requests = 0;
    let retries = 0;
    for (const slot of this.#memory.slots) {
      const age = part - slot.part;
      if (age >= 0 && age < PARTS) requests += slot.requests;
      // Another thread may be a moment ahead.
      if (age >= -1 && age <= PARTS) retries += slot.retries;
    }
    return { requests, retries };
  }
}

/** For one thread alone. */
class LocalBudget implements BudgetMemory {
  readonly slots: readonly BudgetSlot[] = Array.from(
    { length: BUDGET_SLOTS },
    () => new LocalSlot(),
  );

  sharedMs(nowMs: number): number {
    return nowMs;
  }

  exclusively<Result>(work: () => Result): Result {
    return work();
  }
}

class LocalSlot implements BudgetSlot {
  part = -1;
  requests = 0;
  retries = 0;

  addRequest(): void {
    this.requests += 1;
  }
}
