/**
 * What one node still lacks: the difference between what it should hold and what it said it holds.
 *
 * Changes to the same name coalesce here while a batch is under way. A resource that the node
 * refused is left out until it has another version, so one bad object never holds up the rest; a
 * batch refused without a name is not repeated until something changes.
 */
import {
  type Changes,
  type Resource,
  type ResourceKind,
  type ResourceRef,
  resourceKey,
  UNREAD,
} from "../../core/model/resource.ts";
import { type RefusedResource, refOf } from "../../core/wire/decode-changes.ts";

export interface Held extends ResourceRef {
  readonly version: string;
}

/** A resource that the node would not take, at the version it refused; "" is its removal. */
export interface Refusal extends Held {
  readonly reason: string;
}

/** Which names of a kind the node wants. */
interface Subscribed {
  wildcard: boolean;
  readonly names: Set<string>;
}

export class PendingChanges {
  readonly #wanted = new Map<string, Resource>();
  readonly #held = new Map<string, Held>();
  readonly #refused = new Map<string, Refusal>();
  readonly #unread = new Map<string, Refusal>();
  readonly #subscribed = new Map<ResourceKind, Subscribed>();
  readonly #dirty = new Map<string, ResourceRef>();
  #blocked: readonly ResourceRef[] = [];
  #batch: Changes | undefined;

  /** What the node holds, by `resourceKey`. A live view. */
  get held(): ReadonlyMap<string, Held> {
    return this.#held;
  }

  /** And what it holds without having read it whole. */
  get refused(): readonly Refusal[] {
    return [...this.#refused.values(), ...this.#unread.values()];
  }

  /** What the node brought along from its snapshot or the stream before. */
  hold(held: Held): void {
    this.#held.set(resourceKey(held), held);
    this.#mark(held);
  }

  subscribeAll(kind: ResourceKind): void {
    this.#subscription(kind).wildcard = true;
    this.#markKind(kind);
  }

  unsubscribeAll(kind: ResourceKind): void {
    this.#subscription(kind).wildcard = false;
    this.#markKind(kind);
  }

  subscribe(ref: ResourceRef): void {
    this.#subscription(ref.kind).names.add(ref.name);
    this.#mark(ref);
  }

  unsubscribe(ref: ResourceRef): void {
    this.#subscription(ref.kind).names.delete(ref.name);
    this.#mark(ref);
  }

  subscribedNames(): number {
    return [...this.#subscribed.values()].reduce((sum, { names }) => sum + names.size, 0);
  }

  change(changes: Changes): void {
    for (const resource of changes.upserts) {
      const ref = refOf(resource);
      this.#wanted.set(resourceKey(ref), resource);
      this.#mark(ref);
    }
    for (const ref of changes.removals) {
      this.#wanted.delete(resourceKey(ref));
      this.#mark(ref);
    }
    for (const ref of this.#blocked) this.#mark(ref);
    this.#blocked = [];
  }

  /** The next batch, possibly empty. Not to be called before the one before is answered. */
  next(): Changes {
    const upserts: Resource[] = [];
    const removals: ResourceRef[] = [];
    for (const [key, ref] of this.#dirty) {
      const resource = this.#isSubscribed(ref) ? this.#wanted.get(key) : undefined;
      const version = resource?.version ?? "";
      if (this.#refused.get(key)?.version === version) continue;
      // Another version than the refused one: the refusal is history.
      this.#refused.delete(key);
      if (version === (this.#held.get(key)?.version ?? "")) continue;
      if (resource === undefined) removals.push(ref);
      else upserts.push(resource);
    }
    this.#dirty.clear();
    this.#batch = { upserts, removals };
    return this.#batch;
  }

  /** `unread`: what of it the node took without being able to read it whole. */
  applied(unread: readonly RefusedResource[] = []): void {
    const batch = this.#answered();
    for (const resource of batch.upserts) {
      const ref = refOf(resource);
      const key = resourceKey(ref);
      const told = unread.find(({ kind, name }) => kind === ref.kind && name === ref.name);
      // As the node itself tells it with its next Hello.
      const version = told ? resource.version + UNREAD : resource.version;
      this.#held.set(key, { ...ref, version });
      if (told) this.#unread.set(key, { ...ref, version, reason: told.reason });
      else this.#unread.delete(key);
    }
    for (const ref of batch.removals) {
      this.#held.delete(resourceKey(ref));
      this.#unread.delete(resourceKey(ref));
    }
  }

  /** True where an error names a resource of the batch: the rest is then worth another try. */
  rejected(errors: readonly RefusedResource[]): boolean {
    const batch = this.#answered();
    const versions = new Map<string, Held>([
      ...batch.upserts.map((resource) => heldEntry(refOf(resource), resource.version)),
      ...batch.removals.map((ref) => heldEntry(ref, "")),
    ]);
    const refs = [...versions.values()];
    let isNamed = false;
    for (const { kind, name, reason } of errors) {
      if (kind === undefined) continue;
      const key = resourceKey({ kind, name });
      const sent = versions.get(key);
      if (sent === undefined) continue;
      this.#refused.set(key, { ...sent, reason });
      isNamed = true;
    }
    // Without the refused ones, or with what changed meanwhile, it is another batch; else the same again.
    if (isNamed || this.#dirty.size > 0) for (const ref of refs) this.#mark(ref);
    else this.#blocked = refs.map(({ kind, name }) => ({ kind, name }));
    return isNamed;
  }

  #answered(): Changes {
    const batch = this.#batch;
    if (batch === undefined) throw new Error("no batch is under way");
    this.#batch = undefined;
    return batch;
  }

  #mark({ kind, name }: ResourceRef): void {
    const key = resourceKey({ kind, name });
    this.#dirty.set(key, { kind, name });
  }

  #markKind(kind: ResourceKind): void {
    for (const resource of this.#wanted.values()) {
      if (resource.body.kind === kind) this.#mark(refOf(resource));
    }
    for (const held of this.#held.values()) if (held.kind === kind) this.#mark(held);
  }

  #subscription(kind: ResourceKind): Subscribed {
    const subscribed = this.#subscribed.get(kind) ?? { wildcard: false, names: new Set<string>() };
    this.#subscribed.set(kind, subscribed);
    return subscribed;
  }

  #isSubscribed({ kind, name }: ResourceRef): boolean {
    const subscribed = this.#subscribed.get(kind);
    return subscribed !== undefined && (subscribed.wildcard || subscribed.names.has(name));
  }
}

function heldEntry(ref: ResourceRef, version: string): [string, Held] {
  return [resourceKey(ref), { ...ref, version }];
}
