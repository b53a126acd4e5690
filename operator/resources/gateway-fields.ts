/**
 * Reads fields of the Gateway API's kinds, which are not ours: an empty list is none, an absent field has its default.
 *
 * Each reader tells what is wrong to the field's reasons and then gives the default, so a value counts only where
 * no reason was told. Never throws.
 */
import { MAX_TIMER_MS } from "./duration.ts";
import { type Field, isFields, member, refuse, text } from "./fields.ts";
import { integer } from "./members.ts";

const UNIT_MS: Readonly<Record<string, number>> = { h: 3_600_000, m: 60_000, s: 1000, ms: 1 };
// RFC 9110 5.6.2: token.
const TOKEN = /^[A-Za-z0-9!#$%&'*+\-.^_`|~]{1,256}$/;

export function entriesOf(parent: Field, name: string): readonly Field[] {
  const field = member(parent, name);
  if (!field) return [];
  const { value, path, reasons } = field;
  if (!Array.isArray(value)) {
    refuse(field, "must be a list");
    return [];
  }
  return value.map((item: unknown, i) => ({ value: item, path: `${path}[${i}]`, reasons }));
}

/** The member where it is an object with members from `known` only. */
export function objectIn(parent: Field, name: string, known: readonly string[]): Field | undefined {
  const field = member(parent, name);
  return field && hasOnly(field, known) ? field : undefined;
}

export function hasOnly(field: Field, known: readonly string[]): boolean {
  if (!isFields(field.value)) {
    refuse(field, "must be an object");
    return false;
  }
  for (const name of Object.keys(field.value)) {
    if (known.includes(name)) continue;
    refuse({ ...field, path: `${field.path}.${name}` }, "is not supported");
  }
  return true;
}

/** "" where it is absent. */
export function textIn(parent: Field, name: string, fallback = ""): string {
  const field = member(parent, name);
  if (!field) return fallback;
  if (typeof field.value === "string") return field.value;
  refuse(field, "must be a string");
  return fallback;
}

/** Must be there. */
export function requiredText(parent: Field, name: string): string {
  const field = member(parent, name);
  const found = field ? text(field) : refuse(missing(parent, name), "must be given");
  return found ?? "";
}

export function missing(parent: Field, name: string): Field {
  return { ...parent, path: `${parent.path}.${name}` };
}

interface Range {
  readonly least: number;
  readonly most: number;
  readonly fallback: number;
}

export function wholeIn(parent: Field, name: string, { least, most, fallback }: Range): number {
  const field = member(parent, name);
  if (!field) return fallback;
  return integer(field, [least, most]) ?? fallback;
}

/** A value that is none of them is a newer version's. */
export function choiceIn<T extends string>(
  parent: Field,
  name: string,
  { allowed, fallback }: { readonly allowed: readonly T[]; readonly fallback: T },
): T {
  const field = member(parent, name);
  if (!field) return fallback;
  const found = allowed.find((value) => value === field.value);
  return found ?? refuse(field, `${String(field.value)} is not supported`) ?? fallback;
}

// GEP-2257: "^([0-9]{1,5}(h|m|s|ms)){1,4}$"
export function durationIn(parent: Field, name: string): number {
  const field = member(parent, name);
  const written = field && text(field);
  if (written === undefined) return 0;
  if (!/^(?:[0-9]{1,5}(?:h|ms|m|s)){1,4}$/.test(written)) {
    refuse(field ?? parent, 'must be a duration such as "30s", "1h30m" or "250ms"');
    return 0;
  }
  const parts = written.matchAll(/([0-9]+)(h|ms|m|s)/g);
  const ms = [...parts].reduce((sum, [, count, unit = ""]) => {
    return sum + Number(count) * (UNIT_MS[unit] ?? 0);
  }, 0);
  // Whoever waits longer waits as long.
  return Math.min(ms, MAX_TIMER_MS);
}

/** Of a header, a cookie or a query parameter: the API has one pattern for all. */
export function tokenIn(parent: Field, name: string): string {
  const token = requiredText(parent, name);
  if (token !== "" && !TOKEN.test(token)) refuse(missing(parent, name), "must be a valid name");
  return token;
}

export function isToken(value: string): boolean {
  return TOKEN.test(value);
}
