/**
 * Which of two rules of a table is asked first? The Gateway API's order: by what they match, then the older route,
 * then by name, then as they are written. Total, so that every replica tells the same.
 */
import type { RouteRule } from "../../core/model/http-route.ts";

export interface OrderedRule {
  readonly rank: readonly number[];
  readonly createdMs: number;
  /** `namespace/name` */
  readonly route: string;
  /** Of the rule in its route, and of the match in its rule. */
  readonly place: readonly [number, number];
  readonly value: RouteRule;
}

export function compareRules(a: OrderedRule, b: OrderedRule): number {
  return (
    compareNumbers(b.rank, a.rank) ||
    a.createdMs - b.createdMs ||
    compareText(a.route, b.route) ||
    compareNumbers(a.place, b.place)
  );
}

function compareNumbers(a: readonly number[], b: readonly number[]): number {
  for (const [i, value] of a.entries()) {
    const difference = value - (b[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

function compareText(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
