/** Does one text satisfy one form: `exact`, `prefix*`, `*suffix`, `*`, or a path template? No regular expression, no allocation. */
import type { PathMatch, StringMatch } from "../../core/model/authorization-policy.ts";

export function matchesText(match: StringMatch, text: string): boolean {
  switch (match.kind) {
    case "exact":
      return text === match.value;
    case "prefix":
      return text.startsWith(match.value);
    case "suffix":
      return text.endsWith(match.value);
    case "present":
      return text !== "";
  }
}

export function matchesPath(match: PathMatch, path: string): boolean {
  return match.kind === "template"
    ? matchesTemplate(templateOf(match), path)
    : matchesText(match, path);
}

/** `/a/{*}/b/{**}/c`: the texts around each `{*}`, and what follows `{**}` if there is one. */
interface Template {
  readonly literals: readonly string[];
  readonly tail: string | undefined;
}

const templates = new WeakMap<PathMatch, Template>();

/**
 * Istio: "{*} matches a single glob that cannot extend beyond a path segment", "{**} matches zero or
 * more globs", and is the last operator; so what follows it is plain text at the path's end.
 */
function matchesTemplate({ literals, tail }: Template, path: string): boolean {
  let at = 0;
  for (let i = 0; i < literals.length; i += 1) {
    const literal = literals[i] ?? "";
    if (i > 0) {
      const end = endOfSegment(path, at);
      if (end === at) return false;
      at = end;
    }
    if (!path.startsWith(literal, at)) return false;
    at += literal.length;
  }
  if (tail === undefined) return at === path.length;
  return path.length - tail.length >= at && path.endsWith(tail);
}

function templateOf(match: { readonly kind: "template"; readonly value: string }): Template {
  const known = templates.get(match);
  if (known) return known;
  const [head = "", tail] = match.value.split("{**}");
  const made = { literals: head.split("{*}"), tail };
  templates.set(match, made);
  return made;
}

/** What every path that matches begins with. */
export function templateStart(template: string): string {
  const brace = template.indexOf("{");
  return brace < 0 ? template : template.slice(0, brace);
}

function endOfSegment(path: string, at: number): number {
  const slash = path.indexOf("/", at);
  return slash < 0 ? path.length : slash;
}
