/**
 * Reads what rules of HTTPRoute and GRPCRoute have in common: a list of matches, filters, backends with filters of their
 * own. Says of a rule that is read whether it holds, or why not.
 */
import type { Field } from "./fields.ts";
import { entriesOf } from "./gateway-fields.ts";
import type { RankedMatch, RouteKind, RuleReading, RuleSpec } from "./route.ts";
import { readBackend } from "./route-backend.ts";
import { incompatibility, readFilters } from "./route-filter.ts";

/** Those that could be read: a reason was told against the others. */
export function readMatches(
  rule: Field,
  readMatch: (match: Field) => RankedMatch,
): readonly RankedMatch[] {
  const written = entriesOf(rule, "matches");
  // "If no matches are specified", a rule of either kind takes every request.
  const matches = written.length > 0 ? written : [{ ...rule, value: {} }];
  return matches.flatMap((match) => {
    const reasons: Field["reasons"] = [];
    const read = readMatch({ ...match, reasons });
    rule.reasons.push(...reasons);
    return reasons.length > 0 ? [] : [read];
  });
}

export type RuleActions = Pick<RuleSpec, "filters" | "backends">;

export function readActions(
  rule: Field,
  of: { readonly kind: RouteKind; readonly namespace: string },
): RuleActions {
  const filters = readFilters(rule, of);
  const backends = entriesOf(rule, "backendRefs").flatMap((backend) => {
    return readBackend(backend, of.namespace, (own) => readFilters(own, of)) ?? [];
  });
  return { filters, backends };
}

/** Each list by itself: filters exclude each other within one. */
export function filterLists({ filters, backends }: RuleActions): readonly RuleSpec["filters"][] {
  return [filters, ...backends.map((backend) => backend.filters)];
}

/** `clash`: what else of it excludes each other. */
export function readingOf(
  field: Field,
  value: RuleSpec,
  clash: (value: RuleSpec) => string | undefined = none,
): RuleReading {
  const { reasons, path } = field;
  const { rule, matches } = value;
  if (reasons.length > 0) {
    return { kind: "unread", rule, matches, reason: "UnsupportedValue", reasons };
  }
  const lists = filterLists(value).map(incompatibility);
  const message = lists.find((why) => why !== undefined) ?? clash(value);
  if (message === undefined) return { kind: "read", value };
  const why = [{ field: `${path}.filters`, message }];
  return { kind: "unread", rule, matches, reason: "IncompatibleFilters", reasons: why };
}

function none(): undefined {
  return undefined;
}
