/** How long may a head take that has begun and is not whole? */
export class HeadTimer {
  readonly #timeoutMs: number;
  readonly #onLate: () => void;
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(timeoutMs: number, onLate: () => void) {
    this.#timeoutMs = timeoutMs;
    this.#onLate = onLate;
  }

  /** After all that has come at once. */
  look(isHeadOpen: boolean): void {
    if (isHeadOpen && !this.#isClosed) {
      this.#timer ??= setTimeout(() => this.#onLate(), this.#timeoutMs);
    } else if (this.#timer !== undefined) {
      clearTimeout(this.#timer);
      this.#timer = undefined;
    }
  }

  close(): void {
    this.#isClosed = true;
    this.look(false);
  }
}
