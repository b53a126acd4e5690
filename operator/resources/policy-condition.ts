/** Reads one entry of `rules[].when`: a key, `values` and `notValues`. */
import type { Condition, StringMatch } from "../../core/model/authorization-policy.ts";
import type { Cidr } from "../../core/model/ip.ts";
import { type Field, isObjectOf, listOf, member, refuse, text } from "./fields.ts";
import { parseBlock, parseBlockText, parsePort, serviceAccountParser } from "./policy-values.ts";
import { parsePrincipalMatch, parseStringForm, parseStringMatch } from "./string-match.ts";

export type PolicyCondition =
  | { readonly kind: "layer4"; readonly condition: Condition }
  /** What only HTTP, a JWT, a proxy header or the application's own TLS can show; values as written. */
  | {
      readonly kind: "layer7";
      readonly key: string;
      readonly values: readonly string[];
      readonly notValues: readonly string[];
    };

type ParseItem<T> = (item: Field) => T | undefined;

// Istio: "request.headers[...]", "request.auth.claims[...][...]"; header names are RFC 9110 tokens.
const LAYER7_KEY =
  /^(?:connection\.sni|request\.auth\.(?:principal|audiences|presenter)|request\.auth\.claims(?:\[[^[\]]+\])+|request\.headers\[[!#$%&'*+.^_`|~0-9A-Za-z-]+\])$/;

export function parseCondition(field: Field, namespace: string): PolicyCondition | undefined {
  if (!isObjectOf(field, ["key", "values", "notValues"])) return undefined;
  const key = member(field, "key");
  if (!key) return refuse(field, "key must be given");
  const name = text(key);
  if (name === undefined) return undefined;
  if (!member(field, "values") && !member(field, "notValues")) {
    return refuse(field, "values or notValues must be given");
  }
  if (name === "remote.ip") {
    return { kind: "layer7", key: name, ...lists(field, parseBlockText) };
  }
  if (LAYER7_KEY.test(name)) return { kind: "layer7", key: name, ...lists(field, parseStringForm) };
  const condition = parseLayer4(field, name, namespace);
  return condition ? { kind: "layer4", condition } : refuse(key, `unknown key ${name}`);
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

function lists<T>(field: Field, parse: ParseItem<T>) {
  return { values: listOf(field, "values", parse), notValues: listOf(field, "notValues", parse) };
}
