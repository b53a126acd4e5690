/**
 * When is the node's report sent? Once for each turn of the event loop in which something changed: reports are whole.
 *
 * Held until what was captured before this process started is known: else callers would leave its tunnels. And until the
 * traffic process has told of its tunnels: else a rotation would take them for gone. And again once another owns the node.
 */
import { setImmediate as nextTurn } from "node:timers/promises";

export class ReportTurns {
  readonly #send: () => void;
  #isDue = false;
  #isHeld = true;

  constructor(send: () => void) {
    this.#send = send;
  }

  hold(): void {
    this.#isHeld = true;
  }

  release(): void {
    this.#isHeld = false;
    this.soon();
  }

  soon(): void {
    if (this.#isDue || this.#isHeld) return;
    this.#isDue = true;
    void nextTurn().then(() => {
      this.#isDue = false;
      if (!this.#isHeld) this.#send();
    });
  }
}
