/** Reads one entry of `paths`: a string form, or a template with `{*}` (one segment) and `{**}` (any text). */
import type { PathMatch } from "../../core/model/authorization-policy.ts";
import { type Field, refuse, text } from "./fields.ts";
import { parseStringMatch } from "./string-match.ts";

export function parsePathMatch(field: Field): PathMatch | undefined {
  const path = text(field);
  if (path === undefined) return undefined;
  if (!/[{}]/.test(path)) return parseStringMatch(field);
  return isTemplate(path)
    ? { kind: "template", value: path }
    : refuse(
        field,
        "a template has whole segments {*} and {**}, no other behind {**}, and no other *",
      );
}

// Istio: "must not contain *, { or } outside of a supported operator", "{**} must be the last operator".
function isTemplate(path: string): boolean {
  if (!path.startsWith("/")) return false;
  const segments = path.slice(1).split("/");
  const anyDepth = segments.indexOf("{**}");
  return segments.every((segment, i) => {
    if (segment === "{**}") return i === anyDepth;
    if (segment === "{*}") return anyDepth < 0 || i < anyDepth;
    return !/[{}*]/.test(segment);
  });
}
