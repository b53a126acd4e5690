/**
 * Hears the resets of peers whose sockets nobody reads, within a second.
 *
 * libuv takes a socket out of epoll where it is neither read nor written: while the other side does not keep up, and
 * once its peer has ended. A reset is told then to nobody, and the other side would wait for its end for ever.
 */
const SWEEP_MS = 1_000;

/** Something that can look after its own sockets. */
export interface Hearing {
  hearResets(): void;
}

export class ResetWatch {
  readonly #open: ReadonlySet<Hearing>;
  #timer: NodeJS.Timeout | undefined;

  /** `open`: those that are looked after, as they come and go. */
  constructor(open: ReadonlySet<Hearing>) {
    this.#open = open;
  }

  /** There is one, at least. */
  begin(): void {
    this.#timer ??= setInterval(() => this.#sweep(), SWEEP_MS).unref();
  }

  #sweep(): void {
    for (const one of this.#open) one.hearResets();
    if (this.#open.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
