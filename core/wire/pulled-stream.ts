/**
 * One direction of a stream as something that is pulled: whoever writes the wire asks `take()` for
 * the next message when there is room for it, so a slow reader makes nothing pile up here.
 */
export class PulledStream<T> implements AsyncIterable<T> {
  readonly #take: () => T | undefined;
  #wake: (() => void) | undefined;
  #ended = false;
  #error: Error | undefined;

  constructor(take: () => T | undefined) {
    this.#take = take;
  }

  /** `take()` may have something now. */
  wake(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }

  /** Ends after the message being written; with an error the reader gets that. The first end counts. */
  end(error?: Error): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#error = error;
    this.wake();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, undefined> {
    while (!this.#ended) {
      const next = this.#take();
      if (next === undefined) {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      } else {
        yield next;
      }
    }
    if (this.#error !== undefined) throw this.#error;
  }
}
