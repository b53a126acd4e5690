/**
 * What ends when a workload leaves the configuration: its pod is gone, or nothing runs in it any more.
 *
 * Every tunnel to it and from it, on its own node even while some process of it lives on: it has no identity
 * any more. A pod that is being ended orderly is in the configuration until its last container has ended. All by
 * UID: whoever has its address next is somebody else (invariant 4).
 */
import type { Changes } from "../core/model/resource.ts";
import type { Workload } from "../core/model/workload.ts";
import type { GoneCaller } from "./inbound/open-tunnels.ts";
import type { Parties } from "./parties.ts";
import type { Current } from "./state/current.ts";
import type { TunnelPool } from "./tunnel/pool.ts";

/** A pod of this node. */
interface LocalPod {
  endFrom(gone: GoneCaller): void;
  /** Its own end. */
  endTunnels(): void;
}

export interface GoneWorkloadsParts {
  readonly current: Current;
  readonly parties: Parties;
  readonly pool: TunnelPool;
  /** By UID. */
  readonly pods: ReadonlyMap<string, LocalPod>;
}

export class GoneWorkloads {
  readonly #parts: GoneWorkloadsParts;
  /** UIDs of pods of this node that are gone and still have processes. */
  readonly #lingering = new Set<string>();

  constructor(parts: GoneWorkloadsParts) {
    this.#parts = parts;
  }

  /** Gone, and so without identity, whatever still runs in it. */
  has(uid: string): boolean {
    return this.#lingering.has(uid);
  }

  /** Its capture has ended. */
  forget(uid: string): void {
    this.#lingering.delete(uid);
  }

  /** Applies the changes, and then ends what they leave without ground. */
  during<Outcome>(changes: Changes, apply: () => Outcome): Outcome {
    const before = this.#touched(changes);
    const outcome = apply();
    for (const workload of before) this.#compare(workload);
    for (const { name, body } of changes.upserts) {
      if (body.kind === "workload") this.#lingering.delete(name);
    }
    return outcome;
  }

  /** As they are before the changes that remove or replace them. */
  #touched({ upserts, removals }: Changes): readonly Workload[] {
    const names = [
      ...removals.flatMap(({ kind, name }) => (kind === "workload" ? [name] : [])),
      ...upserts.flatMap(({ name, body }) => (body.kind === "workload" ? [name] : [])),
    ];
    return names.flatMap((name) => this.#parts.current.workload(name) ?? []);
  }

  #compare(before: Workload): void {
    const { current, pool } = this.#parts;
    const now = current.workload(before.uid);
    if (!now) this.#end(before);
    // Tunnels to its old address may lead to another pod soon.
    else if (now.addresses.join() !== before.addresses.join()) pool.drainWorkload(before.uid);
  }

  #end(gone: Workload): void {
    const { parties, pool, pods } = this.#parts;
    const { uid, addresses } = gone;
    const { identity } = parties.of(gone);
    pool.endWorkload(uid);
    const own = pods.get(uid);
    if (own) this.#lingering.add(uid);
    own?.endTunnels();
    const caller = { uid, identity, addresses, isTaken: this.#isTaken.bind(this, identity) };
    for (const pod of pods.values()) pod.endFrom(caller);
  }

  #isTaken(identity: string, address: string): boolean {
    const { current, parties } = this.#parts;
    return current
      .workloadsAt(address)
      .some((workload) => parties.of(workload).identity === identity);
  }
}
