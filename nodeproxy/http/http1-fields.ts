/**
 * What the lines of a head say of the connection and of the message's length, and what is left of them for the next hop.
 *
 * RFC 9110 7.6.1: what concerns one connection ends here.
 */
import type { FieldLines } from "./message.ts";
import { NEVER_TRAILERS } from "./never-trailers.ts";

export interface SortedFields {
  /** End to end, `host` not among them: in lower case, values as sent. */
  readonly fields: FieldLines;
  readonly hosts: readonly string[];
  /** Of Connection, in lower case. */
  readonly options: readonly string[];
  readonly codings: readonly string[];
  /** "" where there is none: the parser lets no second pass. */
  readonly contentLength: string;
  readonly upgrades: readonly string[];
  readonly expectations: readonly string[];
  /** Seconds for which the peer says that it keeps the connection; `undefined` where it does not say. */
  readonly keptSeconds: number | undefined;
}

interface Sorting {
  readonly fields: string[];
  readonly hosts: string[];
  readonly options: string[];
  readonly codings: string[];
  readonly upgrades: string[];
  readonly expectations: string[];
  contentLength: string;
  keptSeconds: number | undefined;
}

/** Names as the parser gives them. */
export function sortFields(lines: readonly string[]): SortedFields {
  const sorted: Sorting = {
    fields: [],
    hosts: [],
    options: [],
    codings: [],
    upgrades: [],
    expectations: [],
    contentLength: "",
    keptSeconds: undefined,
  };
  for (let i = 0; i + 1 < lines.length; i += 2) {
    sortField(sorted, (lines[i] ?? "").toLowerCase(), lines[i + 1] ?? "");
  }
  return hasNamedFields(sorted) ? { ...sorted, fields: withoutNamed(sorted) } : sorted;
}

/** Those that may go on. */
export function sortTrailers(lines: readonly string[]): FieldLines {
  const fields: string[] = [];
  for (let i = 0; i + 1 < lines.length; i += 2) {
    const name = (lines[i] ?? "").toLowerCase();
    if (!NEVER_TRAILERS.has(name)) fields.push(name, lines[i + 1] ?? "");
  }
  return fields;
}

function sortField(sorted: Sorting, name: string, value: string): void {
  switch (name) {
    case "host":
      sorted.hosts.push(value);
      return;
    case "connection":
      for (const option of value.split(",")) sorted.options.push(option.trim().toLowerCase());
      return;
    case "transfer-encoding":
      sorted.codings.push(value);
      return;
    case "upgrade":
      sorted.upgrades.push(value);
      return;
    case "keep-alive":
      sorted.keptSeconds = keptSecondsOf(value);
      return;
    case "proxy-connection":
    case "http2-settings":
      return;
    default:
      sortEndToEnd(sorted, name, value);
  }
}

function sortEndToEnd(sorted: Sorting, name: string, value: string): void {
  if (name === "content-length") sorted.contentLength = value;
  else if (name === "expect") sorted.expectations.push(value);
  // Trailers pass here as well, so this much of TE may be said on.
  else if (name === "te" && !isTrailers(value)) return;
  sorted.fields.push(name, name === "te" ? "trailers" : value);
}

function isTrailers(value: string): boolean {
  return value.split(",").some((coding) => coding.trim().toLowerCase() === "trailers");
}

function keptSecondsOf(value: string): number | undefined {
  const [, seconds] = /(?:^|[,;\s])timeout\s*=\s*(\d{1,9})/i.exec(value) ?? [];
  return seconds === undefined ? undefined : Number(seconds);
}

/** Options that name no field, and fields that are gone already. */
const NO_FIELDS: ReadonlySet<string> = new Set([
  "",
  "close",
  "keep-alive",
  "upgrade",
  "te",
  "http2-settings",
  "proxy-connection",
  "transfer-encoding",
]);

function hasNamedFields({ options }: Sorting): boolean {
  return options.some((option) => !NO_FIELDS.has(option));
}

function withoutNamed({ options, fields }: Sorting): FieldLines {
  const kept: string[] = [];
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const name = fields[i] ?? "";
    if (NO_FIELDS.has(name) || !options.includes(name)) kept.push(name, fields[i + 1] ?? "");
  }
  return kept;
}
