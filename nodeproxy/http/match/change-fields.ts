/** A request's headers with some taken away and others put there. Pure. */
import type { FieldLines } from "../message.ts";
import { foldName } from "./field-name.ts";

export interface FieldChanges {
  /** Lower case. All lines of each, under every name that servers confuse with it; removed first. */
  readonly remove: readonly string[];
  readonly set: readonly (readonly [name: string, value: string])[];
}

export function changeFields(fields: FieldLines, { remove, set }: FieldChanges): FieldLines {
  if (remove.length === 0 && set.length === 0) return fields;
  const gone = new Set([...remove, ...set.map(([name]) => name)].map(foldName));
  return [...keepFields(fields, (name) => !gone.has(foldName(name))), ...set.flat()];
}

export function keepFields(fields: FieldLines, isKept: (name: string) => boolean): FieldLines {
  const kept: string[] = [];
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const name = fields[i] ?? "";
    if (isKept(name)) kept.push(name, fields[i + 1] ?? "");
  }
  return kept;
}
