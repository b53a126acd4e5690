/** Reads a share of requests in percent: 0 to 100, as Istio's Percent, in millionths. */
import { type Field, refuse } from "./fields.ts";

export function partsPerMillion(field: Field): number {
  const { value } = field;
  const parts = typeof value === "number" ? value * 10_000 : Number.NaN;
  const whole = Math.round(parts);
  // 0.07 % is 700.0000000000001 of them: no number of the YAML is exact.
  const isGood = whole >= 0 && whole <= 1_000_000 && Math.abs(parts - whole) < 1e-6;
  if (isGood) return whole;
  refuse(field, "must be a number from 0 to 100 with at most 4 decimals");
  return 0;
}
