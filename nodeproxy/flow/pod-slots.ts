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

export class PodSlots {
  readonly #limit: number;
  #taken = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** None where as many are taken as may be. */
  take(): Lease | undefined {
    if (this.#taken >= this.#limit) return undefined;
    this.#taken += 1;
    return new Slot(() => {
      this.#taken -= 1;
    });
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
