/** Asks one authorizer over gRPC. */
import { UnaryCaller } from "../ask/unary-caller.ts";
import type { Side } from "../flow/side.ts";
import { answerIn, checkBytes, type Question, type Said } from "./check-message.ts";

const PATH = "/envoy.service.auth.v3.Authorization/Check";

export class GrpcCaller {
  readonly #caller: UnaryCaller;

  /** `open` connects to one of its endpoints; rejects where none can be reached. */
  constructor(authority: string, open: () => Promise<Side>) {
    this.#caller = new UnaryCaller(authority, open);
  }

  /** Rejects with `AskError`. */
  async check(question: Question, signal: AbortSignal): Promise<Said> {
    const message = checkBytes(question);
    return answerIn(await this.#caller.call({ path: PATH, message }, signal));
  }

  /** Ends what is asked now. */
  close(): void {
    this.#caller.close();
  }
}
