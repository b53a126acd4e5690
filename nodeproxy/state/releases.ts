/**
 * What must outlive its removal: a pod that is no longer enrolled is still captured until the last caller
 * has left its tunnel, and until then it needs its identity, its modes and its policies as they were.
 *
 * Without this a release would refuse callers and cut connections that nobody forbade. Pure bookkeeping.
 */
import type { Changes, ResourceRef } from "../../core/model/resource.ts";
import type { Current } from "./current.ts";

export class Releases {
  readonly #current: Pick<Current, "enrolment">;
  readonly #isCaptured: (uid: string) => boolean;
  /** UIDs of pods that are captured and no longer enrolled. */
  readonly #pods = new Set<string>();
  /** Policies that are gone for all but those. */
  readonly #policies = new Set<string>();

  constructor(current: Pick<Current, "enrolment">, isCaptured: (uid: string) => boolean) {
    this.#current = current;
    this.#isCaptured = isCaptured;
  }

  /** The changes less the removals that have to wait. */
  hold({ upserts, removals }: Changes): Changes {
    for (const { name, body } of upserts) {
      if (body.kind === "enrolment") this.#pods.delete(name);
      if (body.kind === "policy") this.#policies.delete(name);
    }
    for (const { kind, name } of removals) {
      if (kind === "enrolment" && this.#isCaptured(name)) this.#pods.add(name);
    }
    if (this.#pods.size === 0) return { upserts, removals };
    return { upserts, removals: removals.filter((ref) => !this.#mustWait(ref)) };
  }

  /** The capture of a pod has ended: the removals that waited for it. */
  ended(uid: string): Changes {
    const removals: ResourceRef[] = this.#pods.delete(uid)
      ? [{ kind: "enrolment", name: uid }]
      : [];
    for (const ref of this.#policies) {
      if (this.#isNeeded(ref)) continue;
      this.#policies.delete(ref);
      removals.push({ kind: "policy", name: ref });
    }
    return { upserts: [], removals };
  }

  #mustWait({ kind, name }: ResourceRef): boolean {
    if (kind === "enrolment") return this.#pods.has(name);
    if (kind !== "policy" || !this.#isNeeded(name)) return false;
    this.#policies.add(name);
    return true;
  }

  #isNeeded(policy: string): boolean {
    for (const uid of this.#pods) {
      if (this.#current.enrolment(uid)?.policies.includes(policy)) return true;
    }
    return false;
  }
}
