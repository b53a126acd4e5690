/** Asks one rate limit service over gRPC. */
import { UnaryCaller } from "../ask/unary-caller.ts";
import type { Side } from "../flow/side.ts";
import {
  answerIn,
  type CountedElsewhere,
  type LimitQuestion,
  questionBytes,
} from "./limit-message.ts";

const PATH = "/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit";

export class LimitCaller {
  readonly #caller: UnaryCaller;

  /** `open` connects to one of its endpoints; rejects where none can be reached. */
  constructor(authority: string, open: () => Promise<Side>) {
    this.#caller = new UnaryCaller(authority, open);
  }

  /** Rejects with `AskError`. */
  async count(question: LimitQuestion, signal: AbortSignal): Promise<CountedElsewhere> {
    const message = questionBytes(question);
    return answerIn(await this.#caller.call({ path: PATH, message }, signal), question.limits);
  }

  /** Ends what is asked now. */
  close(): void {
    this.#caller.close();
  }
}
