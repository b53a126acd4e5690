/**
 * How much of the load does each tier of endpoints get, the preferred first? As Envoy's priority levels: one that is
 * healthy enough takes all, one that is not hands over what it can not take to the next. Pure.
 */

/**
 * Envoy's default `overprovisioning_factor`, in percent: a tier takes its whole load until fewer than 1/1.4 = 71 % of its
 * endpoints are healthy.
 */
const OVERPROVISIONING_PERCENT = 140;

export interface TierHealth {
  readonly healthy: number;
  /** At least 1. */
  readonly total: number;
}

export interface PriorityLoad {
  /** In percent, of each tier; 100 together. */
  readonly shares: readonly number[];
  /** The healthy ones of all tiers together can take all of the load. */
  readonly isEnough: boolean;
}

export function priorityLoad(tiers: readonly TierHealth[]): PriorityLoad {
  const capacities = tiers.map(({ healthy, total }) => {
    return Math.min(100, (OVERPROVISIONING_PERCENT * healthy) / total);
  });
  const together = Math.min(
    100,
    capacities.reduce((sum, capacity) => sum + capacity, 0),
  );
  if (together === 0)
    return { shares: tiers.map((_, at) => (at === 0 ? 100 : 0)), isEnough: false };
  let left = 100;
  const shares = capacities.map((capacity) => {
    const share = Math.min(left, (capacity * 100) / together);
    left -= share;
    return share;
  });
  return { shares, isEnough: together === 100 };
}

/** Where health is not looked at any more: by the number of endpoints. */
export function loadBySize(tiers: readonly TierHealth[]): readonly number[] {
  const all = tiers.reduce((sum, { total }) => sum + total, 0);
  return tiers.map(({ total }) => (total * 100) / all);
}
