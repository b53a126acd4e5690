/**
 * Whether a trace that begins here is sampled, by its id alone: whoever decides on the same trace with the same share
 * says the same. OpenTelemetry, TraceState probability sampling: sampled where the right-most 56 bits are not below the
 * threshold. Pure.
 */
const MILLION = 1_000_000;
/** Of those bits the first 52, which a number holds exactly: a share of one in a million is not told apart further. */
const DIGITS = 13;
const RANGE = 16 ** DIGITS;

/** `traceId`: 32 hexadecimal digits. */
export function isSampled(traceId: string, partsPerMillion: number): boolean {
  const chance = Number.parseInt(traceId.slice(18, 18 + DIGITS), 16);
  return chance >= RANGE * (1 - partsPerMillion / MILLION);
}
