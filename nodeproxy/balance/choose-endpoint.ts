/**
 * Which of several equal endpoints gets the next connection? Pure: counts, position and chance are
 * handed in. Callers have already left out what is not ready.
 */
import type { BalanceAlgorithm } from "../../core/model/service.ts";

export interface BalanceInput {
  /** Connections this service has been given before; only round robin reads it. */
  readonly turn: number;
  /** In [0, 1). */
  readonly random: number;
  /** Connections this node proxy has open to the candidate at `index`; only least connections asks. */
  readonly openAt: (index: number) => number;
}

/** Index of the chosen one among `count` candidates; `count` is at least 1. */
export function chooseEndpoint(
  algorithm: BalanceAlgorithm,
  count: number,
  { turn, random, openAt }: BalanceInput,
): number {
  switch (algorithm) {
    case "round_robin":
      return turn % count;
    case "random":
      return Math.floor(random * count);
    case "least_connections":
      return leastLoaded(count, random, openAt);
  }
}

/** Starts at a random place, so that equals share instead of the first taking all. */
function leastLoaded(count: number, random: number, openAt: (index: number) => number): number {
  const start = Math.floor(random * count);
  let best = start;
  let fewest = openAt(start);
  for (let step = 1; step < count && fewest > 0; step += 1) {
    const index = (start + step) % count;
    const open = openAt(index);
    if (open < fewest) {
      best = index;
      fewest = open;
    }
  }
  return best;
}
