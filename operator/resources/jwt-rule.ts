/** Reads one entry of `jwtRules`, with the defaults of Istio filled in. */
import { FRAMING_FIELDS } from "../../core/model/framing-fields.ts";
import {
  type ClaimToHeader,
  type JwtRule,
  type KeySource,
  MAX_INLINE_JWKS,
  type TokenHeader,
} from "../../core/model/request-authentication.ts";
import { durationMs } from "./duration.ts";
import { type Field, isFields, isObjectOf, listOf, member, refuse, text } from "./fields.ts";

const FIELDS = [
  "issuer",
  "audiences",
  "jwksUri",
  "jwks",
  "fromHeaders",
  "fromParams",
  "fromCookies",
  "outputPayloadToHeader",
  "outputClaimToHeaders",
  "forwardOriginalToken",
  "timeout",
];
const DEFAULT_TIMEOUT_MS = 5_000;
const MAX_TIMEOUT_MS = 600_000;
const MAX_TEXT = 1024;
// RFC 9110 5.6.2 without what no header is called.
const HEADER_NAME = /^[-_A-Za-z0-9]{1,256}$/;
const BEARER: TokenHeader = { name: "authorization", prefix: "Bearer " };

export function parseJwtRule(field: Field): JwtRule | undefined {
  if (!isObjectOf(field, FIELDS)) return undefined;
  const issuerField = member(field, "issuer");
  const issuer = issuerField
    ? bounded(issuerField)
    : refuse({ ...field, path: `${field.path}.issuer` }, "must be given");
  const places = {
    fromHeaders: listOf(field, "fromHeaders", parseTokenHeader),
    fromParams: listOf(field, "fromParams", bounded),
    fromCookies: listOf(field, "fromCookies", bounded),
  };
  const isDefault = !["fromHeaders", "fromParams", "fromCookies"].some((name) =>
    member(field, name),
  );
  const output = member(field, "outputPayloadToHeader");
  return {
    issuer: issuer ?? "",
    audiences: listOf(field, "audiences", bounded),
    keys: parseKeys(field, issuer ?? ""),
    ...(isDefault ? { ...places, fromHeaders: [BEARER], fromParams: ["access_token"] } : places),
    outputPayloadToHeader: (output && headerToSet(output)) ?? "",
    outputClaimToHeaders: listOf(field, "outputClaimToHeaders", parseClaimToHeader),
    forwardOriginalToken: flag(field, "forwardOriginalToken"),
    timeoutMs: parseTimeout(field),
  };
}

function parseKeys(rule: Field, issuer: string): KeySource {
  const jwks = member(rule, "jwks");
  const uri = member(rule, "jwksUri");
  if (jwks && uri) refuse(uri, "jwks and jwksUri exclude each other");
  if (jwks) return { kind: "inline", jwks: parseInline(jwks) };
  if (uri) return { kind: "uri", uri: parseUri(uri) };
  // Istio: the issuer's discovery document is asked where neither is given.
  if (!isHttpUrl(issuer)) {
    refuse(rule, "jwks or jwksUri must be given: the issuer is no URL to discover keys by");
  }
  return { kind: "discovered" };
}

function parseInline(field: Field): string {
  const value = text(field) ?? "";
  if (value.length > MAX_INLINE_JWKS) {
    refuse(field, `must not be longer than ${MAX_INLINE_JWKS} characters`);
    return "";
  }
  if (value !== "" && !hasKeys(value)) refuse(field, 'must be a JSON object with a list "keys"');
  return value;
}

function hasKeys(value: string): boolean {
  try {
    const set: unknown = JSON.parse(value);
    return isFields(set) && Array.isArray(set["keys"]) && set["keys"].every(isFields);
  } catch {
    return false;
  }
}

function parseUri(field: Field): string {
  const value = text(field) ?? "";
  if (value !== "" && !isHttpUrl(value)) refuse(field, "must be a URL of https or http");
  return value;
}

/** Without credentials, which would stand in every status and log. By a pattern: this folder knows no URL. */
function isHttpUrl(value: string): boolean {
  return /^https?:\/\/[^\s/?#@\\]+(?:[/?][^\s#\\]*)?$/.test(value) && value.length <= MAX_TEXT;
}

function parseTokenHeader(field: Field): TokenHeader | undefined {
  if (!isObjectOf(field, ["name", "prefix"])) return undefined;
  const name = member(field, "name");
  const prefix = member(field, "prefix");
  const header = name ? headerName(name) : refuse(field, "name must be given");
  if (header === undefined) return undefined;
  if (prefix && typeof prefix.value !== "string") return refuse(prefix, "must be a string");
  return { name: header, prefix: typeof prefix?.value === "string" ? prefix.value : "" };
}

function parseClaimToHeader(field: Field): ClaimToHeader | undefined {
  if (!isObjectOf(field, ["header", "claim"])) return undefined;
  const headerField = member(field, "header");
  const claimField = member(field, "claim");
  const header = headerField ? headerToSet(headerField) : refuse(field, "header must be given");
  const claim = claimField ? bounded(claimField) : refuse(field, "claim must be given");
  if (header === undefined || claim === undefined) return undefined;
  // As in Istio a dot leads into an object; a claim whose own name has a dot cannot be named.
  const path = claim.split(".");
  if (claimField && path.includes("")) return refuse(claimField, "has an empty name between dots");
  return { header, claim: path };
}

function headerToSet(field: Field): string | undefined {
  const name = headerName(field);
  // Setting these from a token would change where a request goes or how long it is.
  if (name === undefined || !FRAMING_FIELDS.has(name)) return name;
  return refuse(field, `header ${name} cannot be set from a token`);
}

function headerName(field: Field): string | undefined {
  const value = text(field);
  if (value === undefined) return undefined;
  if (HEADER_NAME.test(value)) return value.toLowerCase();
  return refuse(field, "must be the name of a header");
}

function bounded(field: Field): string | undefined {
  const value = text(field);
  if (value === undefined || value.length <= MAX_TEXT) return value;
  return refuse(field, `must not be longer than ${MAX_TEXT} characters`);
}

function flag(parent: Field, name: string): boolean {
  const field = member(parent, name);
  if (!field) return false;
  if (typeof field.value !== "boolean") refuse(field, "must be true or false");
  return field.value === true;
}

function parseTimeout(rule: Field): number {
  const field = member(rule, "timeout");
  if (!field) return DEFAULT_TIMEOUT_MS;
  const ms = durationMs(field, 1) ?? DEFAULT_TIMEOUT_MS;
  if (ms > MAX_TIMEOUT_MS) refuse(field, "must be at most 10m");
  return ms;
}
