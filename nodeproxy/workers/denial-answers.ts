/** Which worker keeps a denial? The first that has it answers for all; that nobody has it is said once every worker said so. */
import type { FromTraffic } from "../channel/messages.ts";

type Answer = Extract<FromTraffic, { readonly kind: "denial" }>;

export class DenialAnswers {
  readonly #send: (answer: Answer) => void;
  /** By question: who has not answered yet. */
  readonly #waiting = new Map<number, Set<number>>();

  constructor(send: (answer: Answer) => void) {
    this.#send = send;
  }

  /** Before these workers are asked. */
  begin(id: number, workers: ReadonlySet<number>): void {
    this.#waiting.set(id, new Set(workers));
    this.#settle(id);
  }

  answered(answer: Answer, worker: number): void {
    const { id } = answer;
    if (!this.#waiting.has(id)) return;
    if (answer.attempt) {
      this.#waiting.delete(id);
      this.#send(answer);
      return;
    }
    this.#waiting.get(id)?.delete(worker);
    this.#settle(id);
  }

  died(worker: number): void {
    for (const id of this.#waiting.keys()) this.answered({ kind: "denial", id }, worker);
  }

  #settle(id: number): void {
    if (this.#waiting.get(id)?.size !== 0) return;
    this.#waiting.delete(id);
    this.#send({ kind: "denial", id });
  }
}
