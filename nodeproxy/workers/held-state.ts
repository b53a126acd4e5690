/**
 * What control has said so far: everything a worker needs that begins later. Kept as values, without any index; each
 * worker has its own.
 */
import {
  type Changes,
  type Resource,
  type ResourceRef,
  resourceKey,
} from "../../core/model/resource.ts";
import type { ServedLeaf } from "../channel/messages.ts";
import { Releases } from "../state/releases.ts";
import type { ForWorker } from "./messages.ts";

export class HeldState {
  readonly #resources = new Map<string, Resource>();
  readonly #leaves = new Map<string, ServedLeaf>();
  readonly #releases: Releases;
  #isConfigured = false;

  constructor(isCaptured: (uid: string) => boolean) {
    const view = { enrolment: (uid: string) => this.#enrolment(uid) };
    this.#releases = new Releases(view, isCaptured);
  }

  take(message: ForWorker): void {
    switch (message.kind) {
      case "changes": {
        const { changes, complete = false } = message;
        this.#isConfigured = true;
        this.#apply(this.#releases.hold(complete ? this.#completed(changes) : changes));
        return;
      }
      case "leaf":
        this.#leaves.set(message.leaf.identity, message.leaf);
        return;
      case "leaf_dropped":
        this.#leaves.delete(message.identity);
        return;
      case "pod_closed":
      case "denial_request":
      case "drain":
        return;
    }
  }

  /** A pod's capture has ended: what was held for it alone goes. For workers that do not know that it was. */
  podClosed(uid: string): Changes {
    const changes = this.#releases.ended(uid);
    this.#apply(changes);
    return changes;
  }

  /** For a worker that knows nothing. */
  all(): readonly ForWorker[] {
    const leaves = Array.from(this.#leaves.values(), (leaf) => ({ kind: "leaf", leaf }) as const);
    if (!this.#isConfigured) return leaves;
    const changes = { upserts: [...this.#resources.values()], removals: [] };
    return [...leaves, { kind: "changes", changes, complete: true }];
  }

  toJSON(): string {
    return "[redacted]";
  }

  #apply({ upserts, removals }: Changes): void {
    for (const ref of removals) this.#resources.delete(resourceKey(ref));
    for (const resource of upserts) this.#resources.set(resourceKey(refOf(resource)), resource);
  }

  #completed({ upserts }: Changes): Changes {
    const kept = new Set(upserts.map((resource) => resourceKey(refOf(resource))));
    const gone = [...this.#resources.values()].map(refOf);
    return { upserts, removals: gone.filter((ref) => !kept.has(resourceKey(ref))) };
  }

  #enrolment(uid: string) {
    const body = this.#resources.get(resourceKey({ kind: "enrolment", name: uid }))?.body;
    return body?.kind === "enrolment" ? body.value : undefined;
  }
}

function refOf({ name, body }: Resource): ResourceRef {
  return { kind: body.kind, name };
}
