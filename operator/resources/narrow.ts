/**
 * How a raw value (from YAML or the API server) becomes a typed one, without ever throwing.
 *
 * Every `asX` answers `undefined` for what is not an X; what that means is the caller's decision.
 */

export type RawRecord = Readonly<Record<string, unknown>>;

export function asRecord(value: unknown): RawRecord | undefined {
  return isRecord(value) ? value : undefined;
}

export function asList(value: unknown): readonly unknown[] | undefined {
  return Array.isArray(value) ? value : undefined;
}

/** A string that is not empty. */
export function asText(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

export function asPort(value: unknown): number | undefined {
  return typeof value === "number" && Number.isInteger(value) && value >= 1 && value <= 65535
    ? value
    : undefined;
}

/** A map of strings, as labels and annotations are. */
export function asTexts(value: unknown): Readonly<Record<string, string>> | undefined {
  return isRecord(value) && Object.values(value).every((entry) => typeof entry === "string")
    ? (value as Readonly<Record<string, string>>)
    : undefined;
}

/** The records among the entries of a list; nothing for what is no list. */
export function recordsOf(value: unknown): readonly RawRecord[] {
  return (asList(value) ?? []).filter(isRecord);
}

function isRecord(value: unknown): value is RawRecord {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
