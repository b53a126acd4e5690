/**
 * Leaves of one node that are not accepted any more although they have not ended: the pod they were for is gone and
 * nobody else of its identity is on the node, or the node itself is gone.
 */
export interface Revocation {
  readonly node: string;
  /** Hex, as `Certificate.serial` has them. Sorted. */
  readonly serials: readonly string[];
}
