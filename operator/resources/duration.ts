/** Durations as the Gateway API and Istio write them: "1h30m", "90s", "250ms". */
import { type Field, refuse, text } from "./fields.ts";

const UNITS_MS: readonly number[] = [3_600_000, 60_000, 1000, 1];
/** A timer of Node cannot be longer: some 24 days. */
export const MAX_TIMER_MS = 0x7fff_ffff;

/** In milliseconds, at least `leastMs`. */
export function durationMs(field: Field, leastMs: number): number | undefined {
  const value = text(field);
  if (value === undefined) return undefined;
  const match = /^(?:(\d{1,5})h)?(?:(\d{1,5})m)?(?:(\d{1,8})s)?(?:(\d{1,10})ms)?$/.exec(value);
  if (!match) return refuse(field, 'must be a duration such as "30s", "1h30m" or "250ms"');
  const ms = UNITS_MS.reduce((sum, unit, i) => sum + unit * Number(match[i + 1] ?? 0), 0);
  if (ms >= leastMs && ms <= MAX_TIMER_MS) return ms;
  return refuse(field, `must be from ${leastMs}ms to 500h`);
}
