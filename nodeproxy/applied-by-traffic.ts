/**
 * Is what control has told the traffic process in force there? Asked before a batch is acknowledged: from then on no
 * connection may be judged by less. A traffic process that is away carries nothing, and begins with everything.
 */
import type { Changes } from "../core/model/resource.ts";
import type { FromTraffic, ToTraffic } from "./channel/messages.ts";

type ToldChanges = Extract<ToTraffic, { readonly kind: "changes" }>;

export class AppliedByTraffic {
  readonly #send: (message: ToldChanges) => boolean;
  /** Begins anywhere: an answer to the control process before must not be taken for one to this. */
  #told = Math.floor(Math.random() * 2 ** 40);
  readonly #waiting: (() => void)[] = [];
  #isSettled = true;

  /** `send` says whether anybody is there. */
  constructor(send: (message: ToldChanges) => boolean) {
    this.#send = send;
  }

  tell(changes: Changes, options: { readonly complete?: true } = {}): void {
    this.#told += 1;
    this.#isSettled = false;
    const told = this.#send({ kind: "changes", changes, ...options, sequence: this.#told });
    if (!told) this.#settle();
  }

  received(message: FromTraffic): void {
    if (message.kind === "applied" && message.sequence === this.#told) this.#settle();
  }

  /** Nobody is left who could answer. */
  gone(): void {
    this.#settle();
  }

  async settled(): Promise<void> {
    if (this.#isSettled) return;
    await new Promise<void>((resolve) => {
      this.#waiting.push(resolve);
    });
  }

  #settle(): void {
    this.#isSettled = true;
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}
