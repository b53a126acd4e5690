/** Header fields of a request or response as a route's header modifier changes them (Gateway API HTTPHeaderFilter). Pure. */
import { FRAMING_FIELDS } from "../../../core/model/framing-fields.ts";
import type { HeaderChange, NameValue } from "../../../core/model/http-route.ts";
import type { FieldLines } from "../message.ts";

/** RFC 9110 5.6.2. */
const NAME = /^[!#$%&'*+.^_`|~\w-]+$/;
const LINE_ENDS = /[\0\r\n]/;

/**
 * What frames the message is not a route's to change, and nothing that would end a line goes on.
 * "If multiple entries specify equivalent header names, the first entry with an equivalent name MUST be considered."
 */
export function compileHeaderChange(change: HeaderChange): (fields: FieldLines) => FieldLines {
  const set = usable(change.set);
  const add = usable(change.add);
  const gone = new Set(change.remove.map((name) => name.toLowerCase()));
  for (const name of FRAMING_FIELDS) gone.delete(name);
  for (const name of set.keys()) gone.add(name);
  const lines = [...set].flat();
  return (fields) => {
    const kept: string[] = [];
    for (let i = 0; i + 1 < fields.length; i += 2) {
      const name = fields[i] ?? "";
      if (!gone.has(name)) kept.push(name, fields[i + 1] ?? "");
    }
    for (const text of lines) kept.push(text);
    for (const [name, value] of add) addField(kept, name, value);
    return kept;
  };
}

function usable(pairs: readonly NameValue[]): ReadonlyMap<string, string> {
  const first = new Map<string, string>();
  for (const [written, value] of pairs) {
    const name = written.toLowerCase();
    const isUsable = NAME.test(name) && !LINE_ENDS.test(value) && !FRAMING_FIELDS.has(name);
    if (isUsable && !first.has(name)) first.set(name, value);
  }
  return first;
}

/** "It appends to any existing values associated with the header name": `my-header: foo,bar,baz`. */
function addField(fields: string[], name: string, value: string): void {
  let at = -1;
  // RFC 9110 5.3: Set-Cookie "does not use the list syntax".
  for (let i = fields.length - 2; i >= 0 && at < 0 && name !== "set-cookie"; i -= 2) {
    if (fields[i] === name) at = i + 1;
  }
  if (at < 0) fields.push(name, value);
  else fields[at] = `${fields[at] ?? ""}${name === "cookie" ? "; " : ","}${value}`;
}
