/**
 * Which tokens does a request carry, and where? Pure. Never looks into them.
 *
 * Looked for are exactly the places that rules name; a token elsewhere is nobody's business. A place
 * that is there and empty carries none.
 */
import type { JwtRule } from "../../core/model/request-authentication.ts";
import type { HeaderLines } from "../authz/attempt.ts";

/** What of a request may carry tokens. */
export interface TokenCarrier {
  /** Without white space around the values. */
  readonly headers: HeaderLines;
  /** As received, with its query. */
  readonly target: string;
}

export interface FoundToken {
  readonly token: string;
  readonly place: TokenPlace;
  /** Those that take tokens from there. */
  readonly rules: readonly JwtRule[];
}

export type TokenPlace =
  | { readonly kind: "header"; readonly name: string; readonly prefix: string }
  | { readonly kind: "param" | "cookie"; readonly name: string };

export function findTokens(
  rules: readonly JwtRule[],
  carrier: TokenCarrier,
): readonly FoundToken[] {
  const places = placesOf(rules);
  // Most requests have neither, and these cost an allocation.
  const query = places.some(({ place }) => place.kind === "param") ? queryOf(carrier.target) : "";
  const params = query === "" ? undefined : new URLSearchParams(query);
  const found: FoundToken[] = [];
  for (const { place, rules: taking } of places) {
    for (const token of tokensAt(place, carrier, params)) {
      if (token !== "") found.push({ token, place, rules: taking });
    }
  }
  return found;
}

interface AskedPlace {
  readonly place: TokenPlace;
  readonly rules: JwtRule[];
}

function placesOf(rules: readonly JwtRule[]): readonly AskedPlace[] {
  const places = new Map<string, AskedPlace>();
  for (const rule of rules) {
    for (const place of placesOfRule(rule)) {
      const key = JSON.stringify([place.kind, place.name, "prefix" in place ? place.prefix : ""]);
      const known = places.get(key);
      if (known) known.rules.push(rule);
      else places.set(key, { place, rules: [rule] });
    }
  }
  return [...places.values()];
}

function placesOfRule({ fromHeaders, fromParams, fromCookies }: JwtRule): readonly TokenPlace[] {
  return [
    ...fromHeaders.map(({ name, prefix }) => ({ kind: "header" as const, name, prefix })),
    ...fromParams.map((name) => ({ kind: "param" as const, name })),
    ...fromCookies.map((name) => ({ kind: "cookie" as const, name })),
  ];
}

function tokensAt(
  place: TokenPlace,
  { headers }: TokenCarrier,
  params: URLSearchParams | undefined,
): readonly string[] {
  switch (place.kind) {
    case "header":
      return (headers.get(place.name) ?? []).map((line) => afterPrefix(line, place));
    case "param":
      return params?.getAll(place.name) ?? [];
    case "cookie":
      return cookiesOf(headers.get("cookie") ?? [])
        .filter(({ name }) => name === place.name)
        .map(({ value }) => value);
  }
}

/** "" where the line does not begin with it: another scheme is no token. */
function afterPrefix(
  line: string,
  { name, prefix }: Extract<TokenPlace, { readonly kind: "header" }>,
): string {
  const start = line.slice(0, prefix.length);
  // RFC 9110 11.1: the scheme "is case-insensitive".
  const isSame =
    name === "authorization" ? start.toLowerCase() === prefix.toLowerCase() : start === prefix;
  return isSame ? line.slice(prefix.length).trim() : "";
}

function queryOf(target: string): string {
  const from = target.indexOf("?");
  if (from < 0) return "";
  const to = target.indexOf("#", from);
  return target.slice(from + 1, to < 0 ? undefined : to);
}

interface Cookie {
  readonly name: string;
  readonly value: string;
}

/** RFC 6265 4.2: pairs separated by semicolons, a value perhaps in quotes. */
function cookiesOf(lines: readonly string[]): readonly Cookie[] {
  return lines
    .flatMap((line) => line.split(";"))
    .map((pair) => {
      const equals = pair.indexOf("=");
      const value = pair.slice(equals + 1).trim();
      return equals < 0
        ? { name: "", value: "" }
        : { name: pair.slice(0, equals).trim(), value: value.replace(/^"(.*)"$/, "$1") };
    });
}

/** The request without what was found there: other parameters and cookies stay as they are written. */
export function withoutToken(place: TokenPlace, carrier: TokenCarrier): TokenRemoval {
  switch (place.kind) {
    case "header":
      return { header: place.name, value: undefined };
    case "param":
      return { target: withoutParam(carrier.target, place.name) };
    case "cookie": {
      const kept = (carrier.headers.get("cookie") ?? [])
        .flatMap((line) => line.split(";"))
        .filter((pair) => pair.split("=", 1)[0]?.trim() !== place.name)
        .map((pair) => pair.trim());
      return { header: "cookie", value: kept.length === 0 ? undefined : kept.join("; ") };
    }
  }
}

export type TokenRemoval =
  /** `undefined`: the header goes. */
  { readonly header: string; readonly value: string | undefined } | { readonly target: string };

function withoutParam(target: string, name: string): string {
  const query = queryOf(target);
  const kept = query.split("&").filter((pair) => !new URLSearchParams(pair).has(name));
  const from = target.indexOf("?");
  const rest = target.slice(from + 1 + query.length);
  return `${target.slice(0, from)}${kept.length === 0 ? "" : `?${kept.join("&")}`}${rest}`;
}
