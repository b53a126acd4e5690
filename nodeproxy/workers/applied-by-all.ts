/** Says that a change is in force only once every worker has applied it: until then one of them may still know less. */
export class AppliedByAll {
  readonly #onApplied: (sequence: number) => void;
  /** Who has not applied it yet. */
  readonly #waiting = new Map<number, Set<number>>();

  constructor(onApplied: (sequence: number) => void) {
    this.#onApplied = onApplied;
  }

  /** Before it is told to these workers. One that begins later knows it from its first moment. */
  begin(sequence: number | undefined, workers: ReadonlySet<number>): void {
    if (sequence === undefined) return;
    this.#waiting.set(sequence, new Set(workers));
    this.#settle(sequence);
  }

  done(sequence: number, worker: number): void {
    this.#waiting.get(sequence)?.delete(worker);
    this.#settle(sequence);
  }

  died(worker: number): void {
    for (const sequence of this.#waiting.keys()) this.done(sequence, worker);
  }

  #settle(sequence: number): void {
    if (this.#waiting.get(sequence)?.size !== 0) return;
    this.#waiting.delete(sequence);
    this.#onApplied(sequence);
  }
}
