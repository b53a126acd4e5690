/** How many of a thing each source address has now. An address that has none is forgotten. */
export class SourceCounts {
  readonly #counts = new Map<string, number>();

  of(address: string): number {
    return this.#counts.get(address) ?? 0;
  }

  more(address: string): void {
    this.#counts.set(address, this.of(address) + 1);
  }

  less(address: string): void {
    const left = this.of(address) - 1;
    if (left > 0) this.#counts.set(address, left);
    else this.#counts.delete(address);
  }
}
