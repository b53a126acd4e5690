/**
 * Does a header satisfy a condition? A header may come in several lines, and a line may be a list;
 * which of them the application heeds is not known, so the doubt never helps the caller.
 *
 * An ALLOW rule must hold for every line. A rule of another action applies if it holds for any
 * reading: a line, an item of a line's list, or all lines joined (RFC 9110 5.3).
 */
import type { Layer7Condition, StringMatch } from "../../core/model/authorization-policy.ts";
import type { HeaderLines } from "./attempt.ts";
import { matchesAny } from "./match-list.ts";

export type HeaderCondition = Extract<Layer7Condition, { readonly key: "request.headers" }>;

export function matchesHeader(
  condition: HeaderCondition,
  headers: HeaderLines | undefined,
  isAllow: boolean,
): boolean {
  const lines = headers?.get(condition.name);
  if (!lines || lines.length === 0) return condition.values.length === 0;
  for (let i = 0; i < lines.length; i += 1) {
    const line = lines[i] ?? "";
    if (isAllow && !holds(condition, line, true)) return false;
    if (!isAllow && holdsForAnyReading(condition, line)) return true;
  }
  return isAllow || (lines.length > 1 && holds(condition, lines.join(","), false));
}

function holdsForAnyReading(condition: HeaderCondition, line: string): boolean {
  if (holds(condition, line, false)) return true;
  return line.includes(",") && holdsForAnyItem(condition, line);
}

/** By itself: a function that holds a closure makes room for it at every call. */
function holdsForAnyItem(condition: HeaderCondition, line: string): boolean {
  return line.split(",").some((item) => holds(condition, item.trim(), false));
}

function holds({ values, notValues }: HeaderCondition, text: string, isAllow: boolean): boolean {
  if (values.length > 0 && !satisfies(values, text, !isAllow)) return false;
  return !satisfies(notValues, text, isAllow);
}

/** Whether an empty header is present is in doubt as well. */
function satisfies(list: readonly StringMatch[], text: string, isEmptyPresent: boolean): boolean {
  if (matchesAny(list, text)) return true;
  return isEmptyPresent && text === "" && list.some(({ kind }) => kind === "present");
}
