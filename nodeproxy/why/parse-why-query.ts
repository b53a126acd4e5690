/** A question as it comes over the admin endpoint: a checked value, or what is wrong with it. Pure. */
import type { Claims } from "../authz/attempt.ts";
import type { RequestFacts, WhyQuery } from "./why-answer.ts";

export type ParsedQuery =
  | { readonly kind: "query"; readonly query: WhyQuery }
  | { readonly kind: "malformed"; readonly reason: string };

type Fields = Readonly<Record<string, unknown>>;

export function parseWhyQuery(text: string): ParsedQuery {
  const value = parseJson(text);
  if (!isFields(value)) return malformed("not a JSON object");
  const { from, to, plaintext = false, asHttp = false, sni } = value;
  if (typeof from !== "string" || typeof to !== "string") return malformed("from and to are texts");
  if (typeof plaintext !== "boolean" || typeof asHttp !== "boolean") {
    return malformed("plaintext and asHttp are true or false");
  }
  if (!isOptionalText(sni)) return malformed("sni is a text");
  const query = { from, to, plaintext, asHttp, ...(sni === undefined ? {} : { sni }) };
  if (value["request"] === undefined) return { kind: "query", query };
  const request = parseRequest(value["request"]);
  return request ? { kind: "query", query: { ...query, request } } : malformed("request");
}

function parseRequest(value: unknown): RequestFacts | undefined {
  if (!isFields(value)) return undefined;
  const { method, path, host, headers = [], claims } = value;
  const texts = { method, path, host };
  if (!Object.values(texts).every(isOptionalText)) return undefined;
  if (!Array.isArray(headers) || !headers.every(isHeader)) return undefined;
  if (claims !== undefined && !isFields(claims)) return undefined;
  const given = Object.entries(texts).filter(([, text]) => text !== undefined);
  return { ...Object.fromEntries(given), headers, ...(claims ? { claims: claims as Claims } : {}) };
}

function isOptionalText(value: unknown): value is string | undefined {
  return value === undefined || typeof value === "string";
}

function isHeader(value: unknown): value is readonly [string, string] {
  return Array.isArray(value) && value.length === 2 && value.every((x) => typeof x === "string");
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function malformed(reason: string): ParsedQuery {
  return { kind: "malformed", reason };
}
