/**
 * How many of a thing one pod may have at once, so that it cannot take what all pods of the node share: descriptors,
 * memory, and the turns of one loop. Counted from the first moment to the last; whoever comes too late is refused.
 */
import type { Lease } from "./connection-facts.ts";

export interface PodLimits {
  /** Open or being opened, for each direction. */
  readonly connections: number;
  /** Of tunnels, for each direction; handshakes under way are among them. */
  readonly tunnels: number;
}

/** Far above what one pod uses that means well: 16,384 idle connections are a quarter of a gigabyte. */
export const DEFAULT_POD_LIMITS: PodLimits = { connections: 16_384, tunnels: 4_096 };

/** Counts one more where there are fewer than `most`, and says whether; `leave` counts it no more. */
export interface Count {
  enter(most: number): boolean;
  leave(): void;
}

/** Of a thing of one pod. The key says which. */
export type CountOf = (key: string) => Count;

export class PodSlots {
  readonly #limit: number;
  readonly #count: Count;

  constructor(limit: number, count: Count = new LocalCount()) {
    this.#limit = limit;
    this.#count = count;
  }

  /** None where as many are taken as may be. */
  take(): Lease | undefined {
    if (!this.#count.enter(this.#limit)) return undefined;
    return new Slot(() => this.#count.leave());
  }
}

/** For one thread alone. */
class LocalCount implements Count {
  #taken = 0;

  enter(most: number): boolean {
    if (this.#taken >= most) return false;
    this.#taken += 1;
    return true;
  }

  leave(): void {
    this.#taken -= 1;
  }
}

/** Given back once, however often that is said. */
class Slot implements Lease {
  #giveBack: (() => void) | undefined;

  constructor(giveBack: () => void) {
    this.#giveBack = giveBack;
  }

  end(): void {
    const giveBack = this.#giveBack;
    this.#giveBack = undefined;
    giveBack?.();
  }
}
