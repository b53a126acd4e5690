/** What policies may ask of a verified token: its claims as texts. Only own members count, so no name reaches a prototype. */
import type { Claims } from "./attempt.ts";

const NONE: readonly string[] = [];

/** A member that is a text. */
export function textClaim(claims: Claims | undefined, name: string): string | undefined {
  const value = claims && own(claims, name);
  return typeof value === "string" ? value : undefined;
}

/**
 * The values of a claim, from the outermost object inwards: one for a text, each text of a list, none
 * for anything else. `scope` and `permission` are lists written with spaces (RFC 8693 4.2).
 */
export function claimTexts(claims: Claims | undefined, path: readonly string[]): readonly string[] {
  let value: unknown = claims;
  for (const name of path) value = isClaims(value) ? own(value, name) : undefined;
  if (typeof value === "string") {
    const [name = ""] = path;
    const isSpaced = path.length === 1 && (name === "scope" || name === "permission");
    return isSpaced ? value.split(" ").filter((word) => word !== "") : [value];
  }
  return Array.isArray(value) ? value.filter((item) => typeof item === "string") : NONE;
}

function own(claims: Claims, name: string): unknown {
  return Object.hasOwn(claims, name) ? claims[name] : undefined;
}

function isClaims(value: unknown): value is Claims {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
