/**
 * Does the process at the other end still turn its event loop? Asks each second and tells once when
 * nothing has come back for too many questions in a row.
 *
 * Counts questions, not time: a process that was stopped itself must not blame the other for it.
 */
const ASK_EVERY_MS = 1_000;
/** Far above any pause for garbage or a large configuration: ending a process ends its connections. */
const SILENT_AFTER = 10;

export interface HeartbeatOptions {
  readonly ask: () => void;
  readonly onSilent: (unanswered: number) => void;
}

export class Heartbeat {
  readonly #options: HeartbeatOptions;
  readonly #timer: NodeJS.Timeout;
  #unanswered = 0;

  constructor(options: HeartbeatOptions) {
    this.#options = options;
    this.#timer = setInterval(() => this.#beat(), ASK_EVERY_MS);
  }

  answered(): void {
    this.#unanswered = 0;
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #beat(): void {
    if (this.#unanswered >= SILENT_AFTER) {
      this.stop();
      this.#options.onSilent(this.#unanswered);
      return;
    }
    this.#unanswered += 1;
    this.#options.ask();
  }
}
