/** The listening sockets of a pod as control hands them over: three of each family, in this order. */

/** Listening sockets of one family, taken over. */
export interface FamilyListeners {
  readonly family: 4 | 6;
  readonly outboundFd: number;
  readonly plaintextFd: number;
  readonly tunnelFd: number;
}

export function listenersOf(
  families: readonly (4 | 6)[],
  descriptors: readonly number[],
): readonly FamilyListeners[] {
  return families.map((family, i) => ({
    family,
    outboundFd: descriptors[i * 3] ?? -1,
    plaintextFd: descriptors[i * 3 + 1] ?? -1,
    tunnelFd: descriptors[i * 3 + 2] ?? -1,
  }));
}
