/**
 * Chooses among the tiers of one Service's port, then within one: mostly the preferred, others as it lacks healthy
 * members. Where a tier has nobody to take, the next is asked whatever its share.
 */
import { mix32 } from "./hash.ts";
import type { Member } from "./member.ts";
import { loadBySize, priorityLoad, type TierHealth } from "./priority-load.ts";
import type { Tier } from "./tier.ts";

/** Hashes of callers that go to one endpoint must not all go to one tier. */
const SALT = 0x9e3779b1;

export interface TierPick {
  /** In [0, 1). */
  readonly random: () => number;
  readonly hash: number | undefined;
  readonly pickIn: (tier: Tier) => Member | undefined;
}

export class Tiers {
  readonly tiers: readonly Tier[];
  /** In percent; empty where there is one tier. */
  #shares: readonly number[] = [];
  #isEnough = false;

  constructor(tiers: readonly Tier[]) {
    this.tiers = tiers;
  }

  /** The healthy ones of all tiers can take all of the load, though the preferred alone could not. */
  get isEnough(): boolean {
    return this.#isEnough;
  }

  /** To be called when health has changed. */
  weigh(isHealthy: (member: Member) => boolean): void {
    if (this.tiers.length < 2) return;
    const health = this.tiers.map(({ members }): TierHealth => {
      return { healthy: members.filter(isHealthy).length, total: members.length };
    });
    const { shares, isEnough } = priorityLoad(health);
    this.#isEnough = isEnough;
    this.#shares =
      isEnough || health.some(({ healthy }) => healthy > 0) ? shares : loadBySize(health);
  }

  /** `hash`: of a caller that is to come to one endpoint always. */
  pick({ random, hash, pickIn }: TierPick): Member | undefined {
    const { tiers } = this;
    const [only] = tiers;
    if (tiers.length < 2) return only && pickIn(only);
    const drawn = hash === undefined ? random() : mix32(hash ^ SALT) / 2 ** 32;
    const first = tiers[this.#at(drawn * 100)];
    const member = first && pickIn(first);
    if (member) return member;
    for (const tier of tiers) {
      const other = tier === first ? undefined : pickIn(tier);
      if (other) return other;
    }
    return undefined;
  }

  #at(percent: number): number {
    let left = percent;
    for (const [at, share] of this.#shares.entries()) {
      if (left < share) return at;
      left -= share;
    }
    return 0;
  }
}
