/** Reads members of objects that users wrote, each as what it must be. Adds a reason where it is not, as all of `fields.ts` do. */
import { durationMs } from "./duration.ts";
import { type Field, isObjectOf, member, refuse } from "./fields.ts";

/** The member if it is an object; other members than `known` are reasons. */
export function objectMember(
  parent: Field,
  name: string,
  known: readonly string[],
): Field | undefined {
  const field = member(parent, name);
  return field && isObjectOf(field, known) ? field : undefined;
}

/** In milliseconds. */
export function durationMember(
  parent: Field | undefined,
  name: string,
  leastMs: number,
): number | undefined {
  const field = parent && member(parent, name);
  return field && durationMs(field, leastMs);
}

export function integerMember(
  parent: Field | undefined,
  name: string,
  range: readonly [least: number, most: number],
): number | undefined {
  const field = parent && member(parent, name);
  return field && integer(field, range);
}

export function integer(
  field: Field,
  [least, most]: readonly [least: number, most: number],
): number | undefined {
  const { value } = field;
  const isGood = typeof value === "number" && Number.isInteger(value);
  return isGood && value >= least && value <= most
    ? value
    : refuse(field, `must be a whole number from ${least} to ${most}`);
}

/** The one member that is given of these, which exclude each other; `undefined` where there is none or several. */
export function onlyMember<Name extends string>(
  parent: Field,
  names: readonly Name[],
): Name | undefined {
  const given = names.filter((name) => member(parent, name));
  if (given.length === 1) return given[0];
  return refuse(parent, `exactly one of ${names.join(", ")} must be given`);
}
