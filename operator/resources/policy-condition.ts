/** Reads one entry of `rules[].when`: a key, `values` and `notValues`. */
import type {
  Condition,
  Layer7Condition,
  RequestPrincipalMatch,
  StringMatch,
} from "../../core/model/authorization-policy.ts";
import type { Cidr } from "../../core/model/ip.ts";
import { type Field, isObjectOf, listOf, member, refuse, text } from "./fields.ts";
import { parseBlock, parsePort, serviceAccountParser } from "./policy-values.ts";
import { parseRequestPrincipal } from "./request-principal.ts";
import { parseHostMatch, parsePrincipalMatch, parseStringMatch } from "./string-match.ts";

type ParseItem<T> = (item: Field) => T | undefined;

// Istio: "request.headers[...]", "request.auth.claims[...][...]"; header names are RFC 9110 tokens.
const HEADER_KEY = /^request\.headers\[([!#$%&'*+.^_`|~0-9A-Za-z-]+)\]$/;
const CLAIM_KEY = /^request\.auth\.claims((?:\[[^[\]]+\])+)$/;

export function parseCondition(field: Field, namespace: string): Condition | undefined {
  if (!isObjectOf(field, ["key", "values", "notValues"])) return undefined;
  const key = member(field, "key");
  if (!key) return refuse(field, "key must be given");
  const name = text(key);
  if (name === undefined) return undefined;
  if (!member(field, "values") && !member(field, "notValues")) {
    return refuse(field, "values or notValues must be given");
  }
  return (
    parseLayer4(field, name, namespace) ??
    parseLayer7(field, name) ??
    parseNamed(field, name) ??
    refuse(key, `unknown key ${name}`)
  );
}

function parseLayer4(field: Field, key: string, namespace: string): Condition | undefined {
  switch (key) {
    case "source.principal":
      return { key, ...lists<StringMatch>(field, parsePrincipalMatch) };
    case "source.namespace":
    case "source.trustDomain":
      return { key, ...lists<StringMatch>(field, parseStringMatch) };
    case "source.serviceAccount":
      return { key, ...lists(field, serviceAccountParser(namespace)) };
    case "source.ip":
    case "destination.ip":
      return { key, ...lists<Cidr>(field, parseBlock) };
    case "destination.port":
      return { key, ...lists<number>(field, parsePort) };
    default:
      return undefined;
  }
}

function parseLayer7(field: Field, key: string): Layer7Condition | undefined {
  switch (key) {
    case "remote.ip":
      return { key, ...lists<Cidr>(field, parseBlock) };
    case "connection.sni":
      return { key, ...lists<StringMatch>(field, parseHostMatch) };
    case "request.auth.principal":
      return { key, ...lists<RequestPrincipalMatch>(field, parseRequestPrincipal) };
    case "request.auth.audiences":
    case "request.auth.presenter":
      return { key, ...lists<StringMatch>(field, parseStringMatch) };
    default:
      return undefined;
  }
}

/** Keys with a name in brackets. Header names are compared in lower case, as HTTP/2 sends them. */
function parseNamed(field: Field, key: string): Layer7Condition | undefined {
  const header = HEADER_KEY.exec(key)?.[1];
  if (header !== undefined) {
    const name = header.toLowerCase();
    return { key: "request.headers", name, ...lists<StringMatch>(field, parseStringMatch) };
  }
  const claim = CLAIM_KEY.exec(key)?.[1];
  if (claim === undefined) return undefined;
  const path = claim.slice(1, -1).split("][");
  return { key: "request.auth.claims", path, ...lists<StringMatch>(field, parseStringMatch) };
}

function lists<T>(field: Field, parse: ParseItem<T>) {
  return { values: listOf(field, "values", parse), notValues: listOf(field, "notValues", parse) };
}
