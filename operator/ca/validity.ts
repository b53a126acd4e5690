/** From when until when a new certificate holds. */

/** Nodes whose clock is behind by less take a new certificate at once. */
const BACKDATE_MS = 5 * 60_000;

/** Of CA certificates: a clock that jumps back after one was made must not stop it from signing. */
export const CA_BACKDATE_MS = 24 * 3_600_000;

/** Of an intermediate; a new one is made when two thirds of it are over. */
export const INTERMEDIATE_LIFETIME_MS = 365 * 24 * 3_600_000;

/** Of the operator's own certificates, for gRPC and webhooks. */
export const SERVER_LIFETIME_SECONDS = 24 * 3600;

const MIN_LIFETIME_SECONDS = 60;
const MAX_LIFETIME_SECONDS = 30 * 24 * 3600;

export interface Validity {
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

/** Lifetimes out of range are brought into it. Never before the issuer begins, never beyond its end. */
export function chooseValidity(issuer: Validity, lifetimeSeconds: number, now: number): Validity {
  const seconds = Math.min(MAX_LIFETIME_SECONDS, Math.max(MIN_LIFETIME_SECONDS, lifetimeSeconds));
  return {
    notBeforeMs: Math.max(issuer.notBeforeMs, now - BACKDATE_MS),
    notAfterMs: Math.min(issuer.notAfterMs, now + seconds * 1000),
  };
}
