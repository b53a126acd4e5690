/**
 * Everything the node proxy holds: what the stream brought, or the snapshot. Pure bookkeeping; what a
 * resource means is not known here. Never holds half of a batch: `apply` is one synchronous step.
 */
import {
  type Changes,
  type Resource,
  type ResourceRef,
  resourceKey,
} from "../../core/model/resource.ts";
import { refOf } from "../../core/wire/decode-changes.ts";

export interface HeldVersion extends ResourceRef {
  readonly version: string;
}

export class HeldResources {
  readonly #resources = new Map<string, Resource>();

  get size(): number {
    return this.#resources.size;
  }

  apply({ upserts, removals }: Changes): void {
    for (const ref of removals) this.#resources.delete(resourceKey(ref));
    for (const resource of upserts) this.#resources.set(resourceKey(refOf(resource)), resource);
  }

  get(ref: ResourceRef): Resource | undefined {
    return this.#resources.get(resourceKey(ref));
  }

  /** In the order of their first arrival. */
  all(): readonly Resource[] {
    return [...this.#resources.values()];
  }

  /** What a new stream tells the operator, to get only the difference. */
  versions(): readonly HeldVersion[] {
    return this.all().map((resource) => ({ ...refOf(resource), version: resource.version }));
  }
}
