/**
 * When is the node's report sent? Once for each turn of the event loop in which something changed: reports are whole.
 *
 * Held until what was captured before this process started is known: else callers would leave its tunnels. And until the
 * traffic process has told of its tunnels: else a rotation would take them for gone. And again once another owns the node.
 */
import { setImmediate as nextTurn } from "node:timers/promises";

interface Settling {
  settled(): Promise<void>;
}

export class ReportTurns {
  readonly #send: () => void;
  readonly #traffic: Settling;
  #isDue = false;
  #isHeld = true;

  /** `traffic` settles once what would be reported is true of the traffic process too. */
  constructor(send: () => void, traffic: Settling) {
    this.#send = send;
    this.#traffic = traffic;
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
    void Promise.all([nextTurn(), this.#traffic.settled()]).then(() => {
      this.#isDue = false;
      if (!this.#isHeld) this.#send();
    });
  }
}
