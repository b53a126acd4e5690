/** The requests that are served now, so that a change of policy reaches those that it forbids. */
import type { Attempt } from "../authz/attempt.ts";
import type { Denial } from "../authz/verdict.ts";
import type { Judge } from "./judge.ts";

interface OpenExchange {
  /** UID of the pod that serves it. */
  readonly pod: string;
  /** What was decided on. */
  readonly attempt: Attempt;
  end(denial: Denial): void;
}

export class OpenExchanges {
  readonly #open = new Set<OpenExchange>();

  /** Returns what is to be called once it has ended. */
  add(exchange: OpenExchange): () => void {
    this.#open.add(exchange);
    return () => {
      this.#open.delete(exchange);
    };
  }

  /** Ends every one that would be refused now. Returns how many. */
  recheck(judge: Pick<Judge, "decide">): number {
    let ended = 0;
    for (const exchange of this.#open) {
      const { verdict } = judge.decide(exchange.pod, exchange.attempt);
      if (verdict.kind !== "deny") continue;
      this.#open.delete(exchange);
      exchange.end(verdict);
      ended += 1;
    }
    return ended;
  }
}
