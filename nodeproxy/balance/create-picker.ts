/** The picker of an algorithm for one list of members. */
import type { BalanceAlgorithm } from "../../core/model/service.ts";
import { HashRing } from "./hash-ring.ts";
import { LeastLoaded } from "./least-loaded.ts";
import { LeastRecentlyUsed } from "./least-recently-used.ts";
import { Maglev } from "./maglev.ts";
import type { Picker, PickState } from "./picker.ts";
import { RandomChoice } from "./random-choice.ts";
import { RoundRobin } from "./round-robin.ts";
import { WeightedRoundRobin } from "./weighted-round-robin.ts";

export interface PickerPlan {
  readonly algorithm: BalanceAlgorithm;
  readonly maglevTableSize: number;
  /** Of round robin: who is next. */
  turn(): number;
}

export function createPicker(members: readonly PickState[], plan: PickerPlan): Picker {
  const { length } = members;
  switch (plan.algorithm) {
    case "round_robin":
      return new RoundRobin(length, plan.turn());
    case "least_recently_used":
      return new LeastRecentlyUsed(members);
    case "random":
      return new RandomChoice(length);
    case "weighted_round_robin":
      return new WeightedRoundRobin(members);
    case "least_connections":
    case "least_request":
    case "peak_ewma":
      return new LeastLoaded(length);
    case "ring_hash":
      return new HashRing(members.map(({ key }) => key));
    case "maglev":
      return new Maglev(
        members.map(({ key }) => key),
        plan.maglevTableSize,
      );
  }
}
