/** Reads `match` of a rate limit: which requests it is about. What a route matches at the caller's side can be said here again. */
import type { RateLimit } from "../../core/model/rate-limit.ts";
import { type Field, isObjectOf, listOf, member, refuse, text } from "./fields.ts";
import { objectMember } from "./members.ts";

export type RateMatch = Pick<RateLimit, "pathPrefix" | "methods" | "hosts" | "headers">;

/** RFC 9110 5.6.2. */
const TOKEN = /^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,256}$/;
const METHOD = /^[A-Z0-9!#$%&'*+.^_`|~-]{1,64}$/;
const HOST = /^(\*\.)?[a-z0-9_]([-a-z0-9_.]{0,251}[a-z0-9_])?$/i;
/** Within one line, as it is compared: without white space around it. */
const VALUE = /^[^\s\p{Cc}]([^\p{Cc}]{0,1022}[^\s\p{Cc}])?$/u;
const EVERYTHING: RateMatch = { pathPrefix: "", methods: [], hosts: [], headers: [] };

export function parseRateMatch(limit: Field): RateMatch | undefined {
  const match = objectMember(limit, "match", ["pathPrefix", "methods", "hosts", "headers"]);
  if (!match) return member(limit, "match") ? undefined : EVERYTHING;
  const pathPrefix = parsePrefix(match);
  const methods = listOf(match, "methods", (method) =>
    matching(method, METHOD, "must be a method such as GET"),
  );
  const hosts = listOf(match, "hosts", (host) =>
    matching(host, HOST, "must be a host name without port, or *. and one")?.toLowerCase(),
  );
  const headers = listOf(match, "headers", parseHeader);
  return pathPrefix === undefined ? undefined : { pathPrefix, methods, hosts, headers };
}

/** A header's name, in lower case. */
export function parseHeaderName(field: Field): string | undefined {
  return matching(field, TOKEN, "must be the name of a header")?.toLowerCase();
}

export function matching(field: Field, pattern: RegExp, message: string): string | undefined {
  const value = text(field);
  return value === undefined || pattern.test(value) ? value : refuse(field, message);
}

function parseHeader(item: Field): readonly [name: string, value: string] | undefined {
  if (!isObjectOf(item, ["name", "value"])) return undefined;
  const [nameField, valueField] = [member(item, "name"), member(item, "value")];
  if (!nameField || !valueField) return refuse(item, "name and value must be given");
  const name = parseHeaderName(nameField);
  const value = matching(valueField, VALUE, "must be one line without white space around it");
  return name === undefined || value === undefined ? undefined : [name, value];
}

/** Without the "/" at its end, as whole segments are matched. */
function parsePrefix(match: Field): string | undefined {
  const field = member(match, "pathPrefix");
  if (!field) return "";
  const prefix = matching(field, /^\/[!-~]{0,1023}$/, "must be a path that begins with /");
  if (prefix === undefined) return undefined;
  return /[?#]/.test(prefix)
    ? refuse(field, "must be a path without query")
    : prefix.replace(/\/$/, "");
}
