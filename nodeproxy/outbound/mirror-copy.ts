/** What a copy of a request is made of, and how much of its answer is worth reading: the same for each version of HTTP. */
import type { Lease } from "../flow/connection-facts.ts";

/** From the request's end to the answer's, where the route says nothing. */
export const TIMEOUT_MS = 15_000;
/** Of an answer that nobody wants; a connection with more to come is worth less than its octets. */
export const ANSWER_OCTETS = 1 << 20;

export interface MirrorCopy {
  /** All of it. */
  readonly body: readonly Buffer[];
  /** Names of fields that no table may hold. */
  readonly secret: readonly string[] | undefined;
  readonly lease: Lease;
}

export function octetsOf({ body }: MirrorCopy): number {
  return body.reduce((sum, { length }) => sum + length, 0);
}
