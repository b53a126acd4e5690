/**
 * Values under a key that several may share for a while, such as an address that is reused before
 * the old pod is gone. Order is that of arrival; a key without values takes no room.
 */
export class MultiIndex<T> {
  readonly #lists = new Map<string, readonly T[]>();

  add(key: string, value: T): void {
    const list = this.#lists.get(key);
    this.#lists.set(key, list ? [...list, value] : [value]);
  }

  delete(key: string, value: T | undefined): void {
    const rest = this.#lists.get(key)?.filter((other) => other !== value) ?? [];
    if (rest.length === 0) this.#lists.delete(key);
    else this.#lists.set(key, rest);
  }

  last(key: string): T | undefined {
    const list = this.#lists.get(key);
    return list?.[list.length - 1];
  }

  all(key: string): readonly T[] {
    return this.#lists.get(key) ?? [];
  }
}
