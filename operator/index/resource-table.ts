/**
 * A set of resources that remembers what changed since it was last asked.
 *
 * One holds what every node gets, one for each node holds what only that node gets. Putting what is
 * already there, or taking back a change before it was asked for, leaves no trace.
 */
import {
  type Changes,
  type Resource,
  type ResourceRef,
  resourceKey,
} from "../../core/model/resource.ts";

interface Touched {
  readonly ref: ResourceRef;
  readonly before: Resource | undefined;
}

export class ResourceTable {
  readonly #held = new Map<string, Resource>();
  readonly #touched = new Map<string, Touched>();

  put(resource: Resource): void {
    const ref = { kind: resource.body.kind, name: resource.name };
    const key = resourceKey(ref);
    const before = this.#held.get(key);
    if (before?.version === resource.version) return;
    this.#touch(key, { ref, before });
    this.#held.set(key, resource);
  }

  drop(ref: ResourceRef): void {
    const key = resourceKey(ref);
    const before = this.#held.get(key);
    if (!before) return;
    this.#touch(key, { ref, before });
    this.#held.delete(key);
  }

  get(ref: ResourceRef): Resource | undefined {
    return this.#held.get(resourceKey(ref));
  }

  entries(): ReadonlyMap<string, Resource> {
    return this.#held;
  }

  get isTouched(): boolean {
    return this.#touched.size > 0;
  }

  /** What differs from the state at the last call. */
  takeChanges(): Changes {
    const upserts: Resource[] = [];
    const removals: ResourceRef[] = [];
    for (const [key, { ref, before }] of this.#touched) {
      const now = this.#held.get(key);
      if (now && now.version !== before?.version) upserts.push(now);
      if (!now && before) removals.push(ref);
    }
    this.#touched.clear();
    return { upserts, removals };
  }

  #touch(key: string, touched: Touched): void {
    if (!this.#touched.has(key)) this.#touched.set(key, touched);
  }
}
