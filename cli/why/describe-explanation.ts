/** The tree of policies, rules and clauses for people: the deciding policy first, then those that match, then the rest. */

import type {
  AlternativeTrace,
  Explanation,
  PolicyTrace,
  RuleTrace,
} from "../../nodeproxy/authz/explain.ts";
import type { ClauseTrace } from "../../nodeproxy/authz/trace-clauses.ts";
import type { Paint } from "./paint.ts";

/** Of those that do not match; `--json` has all. */
const MAX_UNMATCHED = 20;
/** Of one field. */
const MAX_VALUES = 6;

const ORDER = ["CUSTOM", "DENY", "ALLOW", "AUDIT"];

/** `deciding`: `namespace/name`, "" where none does alone. */
export function describeExplanation(
  { policies, dryRun }: Explanation,
  deciding: string,
  paint: Paint,
): readonly string[] {
  if (policies.length === 0) return ["no policy applies to the pod"];
  const sorted = policies.toSorted((a, b) => rank(a, deciding) - rank(b, deciding));
  const matched = sorted.filter((policy) => policy.matched || policy.policy === deciding);
  const others = sorted.filter((policy) => !matched.includes(policy));
  const shown = [...matched, ...others.slice(0, MAX_UNMATCHED)];
  const hidden = others.length - Math.min(others.length, MAX_UNMATCHED);
  return [
    ...(dryRun === undefined ? [] : [`with the policies in dry run in force: ${dryRun}`]),
    ...shown.flatMap((policy) => policyLines(policy, policy.policy === deciding, paint)),
    ...(hidden === 0 ? [] : [`and ${hidden} more that do not match: --json has them`]),
  ];
}

function rank({ policy, action, dryRun, matched }: PolicyTrace, deciding: string): number {
  const later = (matched ? 0 : 8) + (dryRun ? 4 : 0);
  return policy === deciding ? -1 : later + ORDER.indexOf(action);
}

function policyLines(trace: PolicyTrace, isDeciding: boolean, paint: Paint): readonly string[] {
  const { policy, action, dryRun, invalid, provider, matched, rules, untold } = trace;
  const facts = [
    ...(isDeciding ? ["decides"] : []),
    ...(dryRun ? ["dry run: never decides"] : []),
    ...(action === "AUDIT" ? ["audit: never decides"] : []),
    ...(invalid ? ["cannot be evaluated"] : []),
    ...(provider === undefined ? [] : [`asks ${provider}`]),
    ...(untold === undefined ? [] : [`rules that are not shown: ${untold}`]),
    ...(rules.length + (untold ?? 0) === 0 ? ["no rule, so it matches nothing"] : []),
  ];
  const head = `${action} ${policy} ${matchText(matched)}${facts.map((fact) => `, ${fact}`).join("")}`;
  return [toned(paint, matched, head), ...rules.flatMap((rule) => ruleLines(rule, paint))];
}

function ruleLines(rule: RuleTrace, paint: Paint): readonly string[] {
  const { index, matched, dropped, failed, from, to, when } = rule;
  const why = dropped
    ? ": dropped, it asks for what cannot be seen on this port"
    : failed.length > 0
      ? `: ${failed.join(", ")} ${failed.length === 1 ? "does" : "do"} not`
      : "";
  const name = index < 0 ? "rule: all that it selects" : `rule ${index}`;
  const head = `  ${name} ${matchText(matched)}${why}`;
  const anything = from.length + to.length + when.length === 0 && index >= 0;
  return [
    toned(paint, matched, head),
    ...(anything ? ["    asks for nothing: every call matches"] : []),
    ...from.flatMap((entry, i) => alternativeLines(`from[${i}]`, entry, paint)),
    ...to.flatMap((entry, i) => alternativeLines(`to[${i}]`, entry, paint)),
    ...when.flatMap((clauses, i) =>
      clauses.map((clause) => clauseLine(`when[${i}]`, clause, paint)),
    ),
  ];
}

function alternativeLines(
  place: string,
  { clauses }: AlternativeTrace,
  paint: Paint,
): readonly string[] {
  if (clauses.length === 0) return [`    ${place} asks for nothing`];
  return clauses.map((clause) => clauseLine(place, clause, paint));
}

function clauseLine(
  place: string,
  { field, wanted, seen, outcome }: ClauseTrace,
  paint: Paint,
): string {
  const wants = listText(wanted);
  switch (outcome) {
    case "unseen":
      return paint("faint", `    ? ${place} ${field}: wants ${wants}, cannot be seen on this port`);
    case "match":
    case "no_match": {
      const isMatch = outcome === "match";
      const sees = seen.length === 0 ? "nothing" : listText(seen);
      const text = `    ${isMatch ? "+" : "-"} ${place} ${field}: wants ${wants}, sees ${sees}`;
      return toned(paint, isMatch, text);
    }
  }
}

/** Values are what callers and objects say: no control character reaches the terminal. */
function listText(values: readonly string[]): string {
  const shown = values.slice(0, MAX_VALUES).map((value) => JSON.stringify(value).slice(1, -1));
  const more = values.length - shown.length;
  return `${shown.join(" | ")}${more === 0 ? "" : ` and ${more} more`}`;
}

function matchText(matched: boolean): string {
  return matched ? "matches" : "does not match";
}

function toned(paint: Paint, isMatch: boolean, text: string): string {
  return isMatch ? text : paint("faint", text);
}
