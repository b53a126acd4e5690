/** Reads a GRPCRoute of the Gateway API: its methods become paths, `/package.Service/Method`. */
import type { PathMatch } from "../../core/model/http-route.ts";
import { type Field, member, refuse } from "./fields.ts";
import { choiceIn, hasOnly, missing, objectIn, textIn } from "./gateway-fields.ts";
import type { KubeObject } from "./kube-object.ts";
import {
  type RankedMatch,
  type Route,
  type RulePlace,
  type RuleReading,
  readRoute,
} from "./route.ts";
import { expression, type IsExpression, readNamed } from "./route-match.ts";
import { readActions, readingOf, readMatches } from "./route-rule.ts";
import { readSession } from "./route-session.ts";

// GRPCMethodMatch's own patterns.
const SERVICE = /^\.?[a-z_][a-z_0-9]*(?:\.[a-z_][a-z_0-9]*)*$/i;
const METHOD = /^[A-Za-z_][A-Za-z_0-9]*$/;
const MAX_NAME = 1024;
const ANY_ELEMENT = "[^/]+";

export function parseGrpcRoute(object: KubeObject, isExpression: IsExpression): Route {
  return readRoute({ ...object, kind: "GRPCRoute" }, (rule, place) => {
    return readRule(rule, place, isExpression);
  });
}

function readRule(field: Field, place: RulePlace, isExpression: IsExpression): RuleReading {
  const { rule, namespace } = place;
  hasOnly(field, ["name", "matches", "filters", "backendRefs", "sessionPersistence"]);
  const matches = readMatches(field, (match) => readMatch(match, isExpression));
  const actions = readActions(field, { kind: "GRPCRoute", namespace });
  const session = readSession(field, place);
  const untimed = { requestTimeoutMs: 0, backendTimeoutMs: 0, retry: undefined };
  return readingOf(field, { rule, matches, ...actions, ...untimed, session });
}

function readMatch(field: Field, isExpression: IsExpression): RankedMatch {
  hasOnly(field, ["method", "headers"]);
  const { path, rank } = readMethod(field, isExpression);
  const headers = readNamed(field, "headers", isExpression);
  return {
    // Every call is a POST (gRPC over HTTP/2); an implementation that sends another method is its server's matter.
    match: { path, headers, query: [], method: "" },
    rank: [...rank, headers.length],
  };
}

interface MethodReading {
  readonly path: PathMatch;
  /** "Characters in a matching service", "in a matching method"; exact ones before expressions. */
  readonly rank: readonly [number, number, number];
}

function readMethod(parent: Field, isExpression: IsExpression): MethodReading {
  const field = objectIn(parent, "method", ["type", "service", "method"]);
  if (!field) return { path: { kind: "prefix", value: "" }, rank: [0, 0, 0] };
  const types = { allowed: ["Exact", "RegularExpression"], fallback: "Exact" } as const;
  const type = choiceIn(field, "type", types);
  const service = textIn(field, "service");
  const method = textIn(field, "method");
  // "At least one of Service and Method MUST be a non-empty string."
  if (service === "" && method === "") refuse(field, "service or method must be given");
  if (Math.max(service.length, method.length) > MAX_NAME) refuse(field, "is too long");
  const isExact = type === "Exact";
  const path = isExact
    ? exactPath(field, { service, method })
    : expressionPath(field, { service, method, isExpression });
  return { path, rank: [isExact ? 1 : 0, service.length, method.length] };
}

interface MethodNames {
  readonly service: string;
  readonly method: string;
}

function exactPath(field: Field, { service, method }: MethodNames): PathMatch {
  if (service !== "" && !SERVICE.test(service)) refuse(missing(field, "service"), "is no service");
  if (method !== "" && !METHOD.test(method)) refuse(missing(field, "method"), "is no method");
  if (service === "") return { kind: "regex", value: `/${ANY_ELEMENT}/${method}` };
  if (method === "") return { kind: "prefix", value: `/${service}` };
  return { kind: "exact", value: `/${service}/${method}` };
}

/** Each for itself first: none of them may end the other's group. */
function expressionPath(
  field: Field,
  { service, method, isExpression }: MethodNames & { readonly isExpression: IsExpression },
): PathMatch {
  const parts = [
    ["service", service],
    ["method", method],
  ] as const;
  for (const [name, source] of parts) {
    const at = member(field, name);
    if (at && source !== "") expression(at, source, isExpression);
  }
  const [first, second] = [service, method].map((source) => {
    return source === "" ? ANY_ELEMENT : `(?:${source})`;
  });
  return expression(field, `/${first}/${second}`, isExpression);
}
