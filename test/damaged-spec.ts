/** Objects as a user writes them, with one place in them damaged. Not a test itself. */
type Fields = Readonly<Record<string, unknown>>;
export type Path = readonly (string | number)[];

const DAMAGES: readonly unknown[] = [
  null,
  7,
  -1,
  true,
  "",
  " ",
  "\u0000",
  "a*b",
  "**",
  "spiffe://cluster.local/ns/shop/sa/web",
  "10.0.0.0/99",
  "no such key",
  [],
  [""],
  [null],
  [[]],
  {},
  { unheard: ["of"] },
  "x".repeat(100_000),
];

/** Of the value and of all within it. */
export function pathsIn(value: unknown, path: Path = []): readonly Path[] {
  if (typeof value !== "object" || value === null) return [path];
  const below = Array.isArray(value)
    ? value.flatMap((item, i) => pathsIn(item, [...path, i]))
    : Object.entries(value).flatMap(([key, item]) => pathsIn(item, [...path, key]));
  return [path, ...below];
}

function withDamage(value: unknown, path: Path, damage: unknown): unknown {
  const [first, ...rest] = path;
  if (first === undefined) return damage;
  if (Array.isArray(value)) {
    return value.map((item, i) => (i === first ? withDamage(item, rest, damage) : item));
  }
  const members = value as Readonly<Record<string, unknown>>;
  return { ...members, [first]: withDamage(members[first], rest, damage) };
}

/** Every damage of that place, and a key that nobody knows beside those that are known. */
export function damagedAt(spec: Fields, path: Path): readonly unknown[] {
  const damaged = DAMAGES.map((damage) => withDamage(spec, path, damage));
  const unheard = withUnheard(spec, path);
  return unheard === undefined ? damaged : [...damaged, unheard];
}

function withUnheard(spec: Fields, path: Path): unknown {
  const at = path.reduce<unknown>(
    (value, key) => (value as Readonly<Record<string | number, unknown>>)[key],
    spec,
  );
  if (typeof at !== "object" || at === null || Array.isArray(at) || path.includes("matchLabels")) {
    return undefined;
  }
  return withDamage(spec, path, { ...at, unheard: ["of"] });
}
