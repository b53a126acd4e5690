/** Reads the string forms of policies: `exact`, `prefix*`, `*suffix` and `*`. Never builds a regular expression from them. */
import type { StringMatch } from "../../core/model/authorization-policy.ts";
import { type Field, refuse, text } from "./fields.ts";

export function parseStringMatch(field: Field): StringMatch | undefined {
  const value = text(field);
  if (value === undefined) return undefined;
  if (value === "*") return { kind: "present" };
  const stars = value.split("*").length - 1;
  if (stars === 0) return { kind: "exact", value };
  if (stars === 1 && value.endsWith("*")) return { kind: "prefix", value: value.slice(0, -1) };
  if (stars === 1 && value.startsWith("*")) return { kind: "suffix", value: value.slice(1) };
  return refuse(field, "a wildcard * may stand at one end only");
}

/** A principal: the identity without its scheme, `cluster.local/ns/N/sa/S`. */
export function parsePrincipalMatch(field: Field): StringMatch | undefined {
  if (typeof field.value === "string" && /^\*?spiffe:\/\//i.test(field.value)) {
    return refuse(field, "must be written without spiffe://");
  }
  return parseStringMatch(field);
}

/** A host or a server name: in lower case, as they are compared. */
export function parseHostMatch(field: Field): StringMatch | undefined {
  return typeof field.value === "string"
    ? parseStringMatch({ ...field, value: field.value.toLowerCase() })
    : parseStringMatch(field);
}
