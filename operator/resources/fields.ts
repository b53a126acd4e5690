/**
 * Reads fields out of objects that users wrote, and collects every reason against them.
 *
 * The parsers of Weft's own kinds are made of these. Strict on purpose: an unknown field, a null or
 * an empty list is a reason, since whatever is skipped in silence could open an ALLOW. Never throws.
 */
export interface Reason {
  /** Path as users know it, `spec.rules[0].from[1].source.ipBlocks[0]`. */
  readonly field: string;
  readonly message: string;
}

/** A value, where it stands, and where to put what is wrong with it. */
export interface Field {
  readonly value: unknown;
  readonly path: string;
  readonly reasons: Reason[];
}

export type Fields = Readonly<Record<string, unknown>>;

export function rootField(value: unknown, reasons: Reason[]): Field {
  return { value, path: "", reasons };
}

export function refuse({ path, reasons }: Field, message: string): undefined {
  reasons.push({ field: path, message });
  return undefined;
}

/** The member `name` of an object; `undefined` where it is absent. An explicit null is present. */
export function member(parent: Field, name: string): Field | undefined {
  const { value, path, reasons } = parent;
  if (!isFields(value) || !Object.hasOwn(value, name) || value[name] === undefined) {
    return undefined;
  }
  return { value: value[name], path: path === "" ? name : `${path}.${name}`, reasons };
}

/** True for an object. Members other than `known` are reasons, and reading goes on to find the others. */
export function isObjectOf(field: Field, known: readonly string[]): boolean {
  if (!isFields(field.value)) {
    refuse(field, "must be an object");
    return false;
  }
  for (const name of Object.keys(field.value)) {
    if (!known.includes(name)) {
      const path = field.path === "" ? name : `${field.path}.${name}`;
      field.reasons.push({ field: path, message: "unknown field" });
    }
  }
  return true;
}

/** Items of a list, each with its path; a list that is empty, or none at all, is refused. */
export function items(field: Field): readonly Field[] {
  const { value, path, reasons } = field;
  if (!Array.isArray(value)) refuse(field, "must be a list");
  else if (value.length === 0) refuse(field, "must not be empty: leave the field out instead");
  else return value.map((item: unknown, i) => ({ value: item, path: `${path}[${i}]`, reasons }));
  return [];
}

/** The member's items parsed; an absent member is an empty list, unparsable items are left out and told. */
export function listOf<T>(
  parent: Field,
  name: string,
  parse: (item: Field) => T | undefined,
): readonly T[] {
  const field = member(parent, name);
  if (!field) return [];
  return items(field)
    .map(parse)
    .filter((item) => item !== undefined);
}

export function text(field: Field): string | undefined {
  if (typeof field.value !== "string") return refuse(field, "must be a string");
  return field.value === "" ? refuse(field, "must not be an empty string") : field.value;
}

export function oneOf<T extends string>(field: Field, allowed: readonly T[]): T | undefined {
  const found = allowed.find((value) => value === field.value);
  return found ?? refuse(field, `must be one of ${allowed.join(", ")}`);
}

export function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
