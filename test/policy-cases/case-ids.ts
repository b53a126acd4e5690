/** The ids of the cases that the design of the policy language names, each of which a test must carry. Numbers that are missing are no case. */

/** Which policies apply, in which order, and how rules are put together. */
const ORDER = idsOf("A", [1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20]);
/** Identities. */
const IDENTITY = idsOf("B", [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
/** Addresses and ports, and the ways to a pod. */
const PLACE = idsOf("C", [1, 2, 3, 4, 5, 6, 7]);
/** Requests. */
const REQUEST_IDS = idsOf("D", [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 14, 15, 16]);
/** Attributes of HTTP where there is no HTTP. */
const OPAQUE = idsOf("E", [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
/** PeerAuthentication. */
const MODES = idsOf("F", [10, 11, 12, 13, 15, 16]);
/** Changes over time, and what cannot be evaluated. */
const TIME = idsOf("G", [1, 2, 3, 4, 5, 6]);

export const CASE_IDS: readonly string[] = [
  ...ORDER,
  ...IDENTITY,
  ...PLACE,
  ...REQUEST_IDS,
  ...OPAQUE,
  ...MODES,
  ...TIME,
];

function idsOf(group: string, numbers: readonly number[]): readonly string[] {
  return numbers.map((number) => `${group}${number}`);
}
