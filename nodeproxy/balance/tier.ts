/** The members of one Service's port that are equally near, and the picker that chooses among them. */
import type { BalanceAlgorithm } from "../../core/model/service.ts";
import { createPicker } from "./create-picker.ts";
import type { Member } from "./member.ts";
import type { Ask, Picker } from "./picker.ts";
import { RoundRobin } from "./round-robin.ts";

/** What holds for the connection or request at hand, of whichever tier's members. */
export interface Asker {
  accepts(member: Member): boolean;
  /** In [0, 1). */
  random(): number;
  loadOf(member: Member): number;
  callerHash(): number;
}

export interface TierPlan {
  readonly algorithm: BalanceAlgorithm;
  readonly maglevTableSize: number;
  /** The one in its place until now. */
  readonly before: Tier | undefined;
}

export class Tier implements Ask {
  readonly members: readonly Member[];
  readonly #asker: Asker;
  readonly #picker: Picker;

  constructor(members: readonly Member[], asker: Asker, { before, ...plan }: TierPlan) {
    this.members = members;
    this.#asker = asker;
    this.#picker = createPicker(members, { ...plan, turn: () => this.#turn(before) });
  }

  pick(): Member | undefined {
    return this.members[this.#picker.pick(this)];
  }

  accepts(index: number): boolean {
    const member = this.members[index];
    return member !== undefined && this.#asker.accepts(member);
  }

  random(): number {
    return this.#asker.random();
  }

  loadAt(index: number): number {
    const member = this.members[index];
    return member ? this.#asker.loadOf(member) : 0;
  }

  get callerHash(): number {
    return this.#asker.callerHash();
  }

  /** Round robin goes on with whoever was next, or the one after it that is still there; else anywhere. */
  #turn(before: Tier | undefined): number {
    const [picker, members] = before ? [before.#picker, before.members] : [];
    if (picker instanceof RoundRobin && members) {
      const indexes = new Map(this.members.map(({ key }, index) => [key, index]));
      for (let step = 0; step < members.length; step += 1) {
        const next = members[(picker.turn + step) % members.length];
        const index = indexes.get(next?.key ?? "");
        if (index !== undefined) return index;
      }
    }
    // Not always the first: every node starts here, and they would all begin with the same endpoint.
    return Math.floor(this.#asker.random() * this.members.length);
  }
}
