/**
 * One question to a source of intermediates that nobody waits for: the answer is fetched by asking again. A source
 * that answers at once is heard at once.
 */
import { setImmediate as nextTurn } from "node:timers/promises";
import type {
  IntermediateAnswer,
  IntermediateRequest,
  IntermediateSource,
} from "./intermediate-source.ts";

interface Asked {
  readonly answer: Promise<IntermediateAnswer>;
  readonly abort: AbortController;
}

export class AskedIntermediate {
  #asked: Asked | undefined;

  /** Rejects as the source does. What was answered is forgotten with it: the next call asks anew. */
  async take(
    source: IntermediateSource,
    request: Omit<IntermediateRequest, "signal">,
  ): Promise<IntermediateAnswer | { readonly kind: "asking" }> {
    const asked = this.#asked ?? ask(source, request);
    this.#asked = asked;
    try {
      const taken = await Promise.race([asked.answer, nextTurn({ kind: "asking" } as const)]);
      if (taken.kind !== "asking") this.#asked = undefined;
      return taken;
    } catch (error) {
      this.#asked = undefined;
      throw error;
    }
  }

  /** Nobody wants to know any more. */
  forget(): void {
    this.#asked?.abort.abort();
    this.#asked = undefined;
  }
}

function ask(source: IntermediateSource, request: Omit<IntermediateRequest, "signal">): Asked {
  const abort = new AbortController();
  const answer = source.create({ ...request, signal: abort.signal });
  // A refusal that comes while nobody asks is told to whoever asks next.
  answer.catch(() => undefined);
  return { answer, abort };
}
