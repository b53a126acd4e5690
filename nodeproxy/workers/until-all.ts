/** Waits for each of some workers to have done a thing, or to have died. */
export class UntilAll {
  readonly #workers: Set<number>;
  readonly #all = Promise.withResolvers<void>();

  constructor(workers: ReadonlySet<number>) {
    this.#workers = new Set(workers);
    this.#settle();
  }

  done(worker: number): void {
    this.#workers.delete(worker);
    this.#settle();
  }

  async all(): Promise<void> {
    await this.#all.promise;
  }

  #settle(): void {
    if (this.#workers.size === 0) this.#all.resolve();
  }
}
