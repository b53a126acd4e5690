/** Objects of one kind by namespace and name, and those that may concern a pod: its namespace's and the root's. */

export class NamespacedStore<Value> {
  readonly #byNamespace = new Map<string, Map<string, Value>>();

  get({ namespace, name }: Named): Value | undefined {
    return this.#byNamespace.get(namespace)?.get(name);
  }

  put({ namespace, name }: Named, value: Value): void {
    const members = this.#byNamespace.get(namespace) ?? new Map<string, Value>();
    members.set(name, value);
    this.#byNamespace.set(namespace, members);
  }

  drop({ namespace, name }: Named): void {
    const members = this.#byNamespace.get(namespace);
    members?.delete(name);
    if (members?.size === 0) this.#byNamespace.delete(namespace);
  }

  inNamespace(namespace: string): readonly Value[] {
    return [...(this.#byNamespace.get(namespace)?.values() ?? [])];
  }

  /** Each once, also for the root namespace itself. */
  reaching(namespace: string, rootNamespace: string): readonly Value[] {
    const own = this.inNamespace(namespace);
    return namespace === rootNamespace ? own : [...own, ...this.inNamespace(rootNamespace)];
  }

  all(): readonly Value[] {
    return [...this.#byNamespace.values()].flatMap((members) => [...members.values()]);
  }
}

interface Named {
  readonly namespace: string;
  readonly name: string;
}
