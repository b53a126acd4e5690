/** What does a request's `cookie` field say for a name? Pure. */
import type { FieldLines } from "./message.ts";

/** RFC 6265 4.2: pairs between semicolons, a value perhaps in quotes. The first of that name; `undefined` where there is none. */
export function cookieValue(fields: FieldLines, name: string): string | undefined {
  for (let i = 0; i + 1 < fields.length; i += 2) {
    // RFC 9113 8.2.3: there may be several lines.
    const value = fields[i] === "cookie" ? valueIn(fields[i + 1] ?? "", name) : undefined;
    if (value !== undefined) return value;
  }
  return undefined;
}

function valueIn(line: string, name: string): string | undefined {
  if (!line.includes(name)) return undefined;
  for (const pair of line.split(";")) {
    const equals = pair.indexOf("=");
    if (equals < 0 || pair.slice(0, equals).trim() !== name) continue;
    const value = pair.slice(equals + 1).trim();
    return value.length >= 2 && value.startsWith('"') && value.endsWith('"')
      ? value.slice(1, -1)
      : value;
  }
  return undefined;
}
