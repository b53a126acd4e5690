/**
 * What every balancing algorithm is: something built for one list of members that names the next one.
 *
 * Built when the membership changes, asked for each connection or request; asking allocates nothing. Time and chance
 * are handed in.
 */

export interface Picker {
  /** Index of the chosen member, or -1 where none is acceptable. */
  pick(ask: Ask): number;
}

/** What a picker may ask about the connection or request at hand. */
export interface Ask {
  /** Whether the member can be taken now: not tried, not ejected, not full. */
  accepts(index: number): boolean;
  /** In [0, 1). */
  random(): number;
  /** How much this node proxy burdens the member: in connections, requests or milliseconds, as the algorithm wants. */
  loadAt(index: number): number;
  /** Of the caller's address, or of what its request is bound by; 32 bits. */
  readonly callerHash: number;
}

/** What the algorithms remember of an endpoint; outlives the changes of its Service's membership. */
export interface PickState {
  /** `address:port`, unique in its list. */
  readonly key: string;
  /** 1 or more. */
  readonly weight: number;
  /** When it was picked last, counted in picks; 0 for never. */
  lastPick: number;
  /** Virtual time of its next turn in weighted round robin. */
  deadline: number;
}

/**
 * Slots of a hash's table that are looked at before all members are asked one by one: with many of them full
 * or ejected a table would be walked through for each connection.
 */
export const MAX_SLOTS = 64;

/** The first acceptable one at or after `start`, going round; -1 for none. O(n), for when the first choice is not. */
export function firstAccepted(ask: Ask, start: number, count: number): number {
  for (let step = 0; step < count; step += 1) {
    const index = (start + step) % count;
    if (ask.accepts(index)) return index;
  }
  return -1;
}
