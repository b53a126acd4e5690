/** What keeps trouble of a Service small, by Service: its circuit, and how often requests to it may be sent again. */
import { Breaker, type BreakerMemory } from "./breaker.ts";
import { type BudgetMemory, RetryBudget } from "./retry-budget.ts";

/** Where worker threads count together; `undefined` where there is no room for one more Service. */
export interface GuardMemory {
  breaker(service: string): BreakerMemory | undefined;
  budget(service: string): BudgetMemory | undefined;
}

export interface Guard {
  readonly breaker: Breaker;
  readonly budget: RetryBudget;
}

export class Guards {
  readonly #memory: GuardMemory | undefined;
  readonly #guards = new Map<string, Guard>();

  /** Without memory: for one thread alone. */
  constructor(memory?: GuardMemory) {
    this.#memory = memory;
  }

  /** `service`: `namespace/name`. */
  at(service: string): Guard {
    const known = this.#guards.get(service);
    if (known) return known;
    const guard = {
      breaker: new Breaker(this.#memory?.breaker(service)),
      budget: new RetryBudget(this.#memory?.budget(service)),
    };
    this.#guards.set(service, guard);
    return guard;
  }

  /** Forgets those of Services that are gone. */
  retain(isThere: (service: string) => boolean): void {
    for (const service of this.#guards.keys()) {
      if (!isThere(service)) this.#guards.delete(service);
    }
  }
}
