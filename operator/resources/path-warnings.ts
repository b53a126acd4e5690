/**
 * Paths of a policy that no request can have: each is brought into one form before it is compared (docs/policy.md), and these
 * are not in it. Such a DENY denies nothing. Refuses nothing.
 */
import type { PathMatch } from "../../core/model/authorization-policy.ts";
import type { Reason } from "./fields.ts";
import type { PolicyRule } from "./policy-rule.ts";

/** Literal, or encoded because it must be: in upper case, and no slash, `;` or control. */
const CHARACTERS =
  /^(?:[\w\-.~!$&'()*+,=:@/]|%(?:2[023]|25(?![0-9A-Fa-f]{2})|3[CEF]|5[BDE]|60|7[BCD]|[89A-F][0-9A-F]))*$/;
const INNER_DOTS = /\/\.{1,2}\//;
const LAST_DOTS = /\/\.{1,2}$/;
/** An encoded character of which a prefix has only the beginning. */
const CUT_ENCODING = /%[0-9A-F]?$/;

export function pathWarnings({ to }: PolicyRule, index: number): readonly Reason[] {
  return to.flatMap(({ layer7 }, i) => {
    const field = `spec.rules[${index}].to[${i}].operation`;
    return [
      ...warningsOf(layer7?.paths ?? [], `${field}.paths`),
      ...warningsOf(layer7?.notPaths ?? [], `${field}.notPaths`),
    ];
  });
}

function warningsOf(paths: readonly PathMatch[], field: string): readonly Reason[] {
  return paths.filter(isNeverMatched).map((path) => ({
    field,
    message: `${textOf(path)} can never match: paths are compared in one form, which this has not`,
  }));
}

export function isNeverMatched(match: PathMatch): boolean {
  switch (match.kind) {
    case "present":
      return false;
    case "exact":
      return !match.value.startsWith("/") || isBroken(match.value) || LAST_DOTS.test(match.value);
    case "template":
      return isBroken(match.value.replaceAll(/\{\*{1,2}\}/g, "x")) || LAST_DOTS.test(match.value);
    case "prefix":
      return !match.value.startsWith("/") || isBroken(match.value.replace(CUT_ENCODING, ""));
    case "suffix":
      return isBroken(match.value) || LAST_DOTS.test(match.value);
  }
}

function isBroken(text: string): boolean {
  return !CHARACTERS.test(text) || text.includes("//") || INNER_DOTS.test(text);
}

function textOf(match: PathMatch): string {
  switch (match.kind) {
    case "present":
      return "*";
    case "prefix":
      return `${match.value}*`;
    case "suffix":
      return `*${match.value}`;
    case "exact":
    case "template":
      return match.value;
  }
}
