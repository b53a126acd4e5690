/** Reads one entry of `paths`: a string form, or a template with `{*}` (one segment) and `{**}` (any number, last). */
import { type Field, refuse, text } from "./fields.ts";
import { parseStringForm } from "./string-match.ts";

export function parsePathForm(field: Field): string | undefined {
  const path = text(field);
  if (path === undefined) return undefined;
  if (!/[{}]/.test(path)) return parseStringForm(field);
  return isTemplate(path)
    ? path
    : refuse(
        field,
        "a template has whole segments {*} and {**}, nothing after {**}, and no other *",
      );
}

// Istio: "Path templates are not supported together with *", "{**} must be the last operator".
function isTemplate(path: string): boolean {
  if (!path.startsWith("/")) return false;
  const segments = path.slice(1).split("/");
  const anyDepth = segments.indexOf("{**}");
  return segments.every((segment, i) =>
    segment === "{**}"
      ? i === anyDepth
      : segment === "{*}"
        ? isBefore(i, anyDepth)
        : !/[{}*]/.test(segment),
  );
}

function isBefore(index: number, anyDepth: number): boolean {
  return anyDepth < 0 || index < anyDepth;
}
