/** The lane of each pod that has connections: made with the first of them, forgotten with the last. */
import { ReadLane } from "./read-lane.ts";

interface Used {
  readonly lane: ReadLane;
  users: number;
}

export class ReadLanes {
  readonly #lanes = new Map<string, Used>();

  /** To be left once for each time. */
  enter(pod: string): ReadLane {
    let used = this.#lanes.get(pod);
    if (!used) this.#lanes.set(pod, (used = { lane: new ReadLane(), users: 0 }));
    used.users += 1;
    return used.lane;
  }

  leave(pod: string): void {
    const used = this.#lanes.get(pod);
    if (!used) return;
    used.users -= 1;
    if (used.users === 0) this.#lanes.delete(pod);
  }
}
