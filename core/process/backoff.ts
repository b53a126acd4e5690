/** How long to wait before trying again: exponential with jitter, so that many clients do not return at once. */

export interface Backoff {
  readonly minMs: number;
  readonly maxMs: number;
}

/**
 * Milliseconds before attempt `attempt` (0 is the first retry): between half and the whole of
 * `minMs * 2^attempt`, at most `maxMs`. `random` is in [0, 1).
 */
export function backoffDelayMs(backoff: Backoff, attempt: number, random: number): number {
  const full = Math.min(backoff.maxMs, backoff.minMs * 2 ** Math.min(attempt, 30));
  return Math.round(full * (0.5 + random / 2));
}
