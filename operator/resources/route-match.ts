/** Reads what the matches of HTTPRoute and GRPCRoute have in common: names with values, and expressions. */
import type { NamedMatch, TextMatch } from "../../core/model/http-route.ts";
import type { Field } from "./fields.ts";
import { refuse } from "./fields.ts";
import { choiceIn, entriesOf, hasOnly, missing, requiredText, tokenIn } from "./gateway-fields.ts";

/** Whether a text is a regular expression of RE2's syntax; handed in, since this folder uses no package. */
export type IsExpression = (source: string) => boolean;

const TYPES = ["Exact", "RegularExpression"] as const;
// HTTPHeaderMatch.value: "MaxLength=4096".
const MAX_VALUE = 4096;

/** "only the first entry with an equivalent name MUST be considered for a match" */
export function readNamed(
  parent: Field,
  name: "headers" | "queryParams",
  isExpression: IsExpression,
): readonly NamedMatch[] {
  const first = new Map<string, NamedMatch>();
  for (const field of entriesOf(parent, name)) {
    if (!hasOnly(field, ["type", "name", "value"])) continue;
    const token = tokenIn(field, "name");
    const key = name === "headers" ? token.toLowerCase() : token;
    const match = { name: key, value: readText(field, isExpression) };
    if (!first.has(key)) first.set(key, match);
  }
  return [...first.values()];
}

function readText(field: Field, isExpression: IsExpression): TextMatch {
  const type = choiceIn(field, "type", { allowed: TYPES, fallback: "Exact" });
  const value = requiredText(field, "value");
  if (value.length > MAX_VALUE)
    refuse(missing(field, "value"), `must not be longer than ${MAX_VALUE}`);
  if (type === "Exact") return { kind: "exact", value };
  return expression(missing(field, "value"), value, isExpression);
}

export function expression(field: Field, value: string, isExpression: IsExpression): TextMatch {
  if (!isExpression(value)) refuse(field, "must be a regular expression of RE2's syntax");
  return { kind: "regex", value };
}
