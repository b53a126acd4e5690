/** Reads what requests are told apart by: `by` of a rate limit, and the descriptor of a global one. */
import type { RateEntry, RateEntryValue, RateKey } from "../../core/model/rate-limit.ts";
import { type Field, isObjectOf, listOf, member, refuse, text } from "./fields.ts";
import { objectMember, onlyMember } from "./members.ts";
import { matching, parseHeaderName } from "./rate-match.ts";

const KEYS = ["identity", "header", "claim"] as const;
const VALUES = ["value", ...KEYS, "method", "path", "remoteAddress"] as const;
const MAX_CLAIM = 8;
const MAX_ENTRIES = 16;
/** Neither white space nor controls, which no configuration of a service could name. */
const ENTRY_KEY = /^[!-~]{1,256}$/;
const ENTRY_TEXT = /^\S(.*\S)?$/;

export function parseRateKey(item: Field): RateKey | undefined {
  const by = member(item, "by");
  if (!by) return { kind: "everybody" };
  if (!isObjectOf(by, KEYS)) return undefined;
  const kind = onlyMember(by, KEYS);
  return kind === undefined ? undefined : parseKey(by, kind);
}

export function parseDescriptor(item: Field): readonly RateEntry[] | undefined {
  const global = objectMember(item, "global", ["descriptor"]);
  if (!global) return undefined;
  if (!member(global, "descriptor")) return refuse(global, "descriptor must be given");
  const entries = listOf(global, "descriptor", parseEntry);
  if (entries.length > MAX_ENTRIES)
    return refuse(global, `descriptor must be at most ${MAX_ENTRIES}`);
  return entries.length === 0 ? undefined : entries;
}

function parseEntry(entry: Field): RateEntry | undefined {
  if (!isObjectOf(entry, ["key", ...VALUES])) return undefined;
  const field = member(entry, "key");
  if (!field) return refuse(entry, "key must be given");
  const key = matching(field, ENTRY_KEY, "must be printable and without white space");
  const kind = onlyMember(entry, VALUES);
  const value = kind && parseValue(entry, kind);
  return key === undefined || !value ? undefined : { key, value };
}

function parseValue(entry: Field, kind: (typeof VALUES)[number]): RateEntryValue | undefined {
  switch (kind) {
    case "value": {
      const field = member(entry, "value");
      const given =
        field && matching(field, ENTRY_TEXT, "must be one line without white space around it");
      return given === undefined ? undefined : { kind: "text", text: given };
    }
    case "identity":
    case "header":
    case "claim":
      return parseKey(entry, kind);
    case "method":
    case "path":
    case "remoteAddress":
      return isTrue(entry, kind) ? { kind } : undefined;
  }
}

function parseKey(
  parent: Field,
  kind: (typeof KEYS)[number],
): Exclude<RateKey, { readonly kind: "everybody" }> | undefined {
  switch (kind) {
    case "identity":
      return isTrue(parent, kind) ? { kind } : undefined;
    case "header": {
      const field = member(parent, kind);
      const name = field && parseHeaderName(field);
      return name === undefined ? undefined : { kind, name };
    }
    case "claim":
      return parseClaim(parent);
  }
}

function parseClaim(parent: Field) {
  const path = listOf(parent, "claim", text);
  if (path.length > MAX_CLAIM) return refuse(parent, `claim must be at most ${MAX_CLAIM} names`);
  return path.length === 0 ? undefined : { kind: "claim" as const, path };
}

function isTrue(parent: Field, name: string): boolean {
  const field = member(parent, name);
  if (field?.value === true) return true;
  refuse(
    field ?? { ...parent, path: `${parent.path}.${name}` },
    "must be true: leave the field out instead",
  );
  return false;
}
