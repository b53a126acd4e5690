/**
 * Under which keys is a clause filed? For each dimension of an attempt, the keys of which a matching
 * attempt must have one. Asked when the set arrives only.
 */
import type {
  Condition,
  PathMatch,
  RequestPrincipalMatch,
  Rule,
  ServiceAccountRef,
} from "../../core/model/authorization-policy.ts";
import type { Cidr } from "../../core/model/ip.ts";
import { blockKey } from "./block-key.ts";
import type { Clause } from "./clause.ts";
import { templateStart } from "./match-text.ts";

export type Dimension = keyof typeof KEYS;

/** Of one request. */
export type RequestDimension = "method" | "path" | "host" | "requestIssuer" | "requestSubject";

const OF_REQUEST: ReadonlySet<string> = new Set<RequestDimension>([
  "method",
  "path",
  "host",
  "requestIssuer",
  "requestSubject",
]);

export function isRequestDimension(dimension: Dimension): dimension is RequestDimension {
  return OF_REQUEST.has(dimension);
}

/** A star marks the open end of a text; values hold none themselves. */
export type Key = string | number;

/** The most selective first: of two equally crowded dimensions the first is taken. */
export const DIMENSIONS: readonly Dimension[] = [
  "principal",
  "serviceAccount",
  "path",
  "requestSubject",
  "namespace",
  "sourceIp",
  "remoteIp",
  "host",
  "serverName",
  "port",
  "destinationIp",
  "requestIssuer",
  "method",
  "trustDomain",
];

/** `undefined` where the clause may match whatever the attempt's value in this dimension is. */
export function keysOf(clause: Clause, dimension: Dimension): readonly Key[] | undefined {
  return KEYS[dimension](clause);
}

const KEYS = {
  principal: ({ rule, source }: Clause) =>
    texts(source?.principals) ?? texts(wanted(rule, "source.principal")),
  serviceAccount: ({ rule, source }: Clause) =>
    accounts(source?.serviceAccounts) ?? accounts(wanted(rule, "source.serviceAccount")),
  namespace: ({ rule, source }: Clause) =>
    texts(source?.namespaces) ?? texts(wanted(rule, "source.namespace")),
  trustDomain: ({ rule, source }: Clause) =>
    texts(source?.trustDomains) ?? texts(wanted(rule, "source.trustDomain")),
  sourceIp: ({ rule, source }: Clause) =>
    blocks(source?.ipBlocks) ?? blocks(wanted(rule, "source.ip")),
  remoteIp: ({ rule, source }: Clause) =>
    blocks(source?.layer7?.remoteIpBlocks) ?? blocks(wanted(rule, "remote.ip")),
  destinationIp: ({ rule }: Clause) => blocks(wanted(rule, "destination.ip")),
  port: ({ rule }: Clause) =>
    ofEveryOperation(rule, ({ ports }) => some(ports)) ?? some(wanted(rule, "destination.port")),
  method: ({ rule }: Clause) => ofEveryOperation(rule, ({ layer7 }) => texts(layer7?.methods)),
  path: ({ rule }: Clause) => ofEveryOperation(rule, ({ layer7 }) => texts(layer7?.paths)),
  host: ({ rule }: Clause) => ofEveryOperation(rule, ({ layer7 }) => texts(layer7?.hosts)),
  serverName: ({ rule }: Clause) => texts(wanted(rule, "connection.sni")),
  requestIssuer: (clause: Clause) => texts(requesters(clause)?.map(({ issuer }) => issuer)),
  requestSubject: (clause: Clause) => texts(requesters(clause)?.map(({ subject }) => subject)),
} as const;

function wanted<K extends Condition["key"]>(
  rule: Rule,
  key: K,
): Extract<Condition, { readonly key: K }>["values"] | undefined;
function wanted(rule: Rule, key: Condition["key"]): Condition["values"] | undefined {
  return rule.when.find((condition) => condition.key === key && condition.values.length > 0)
    ?.values;
}

function requesters({ rule, source }: Clause): readonly RequestPrincipalMatch[] | undefined {
  return some(source?.layer7?.requestPrincipals) ?? wanted(rule, "request.auth.principal");
}

/** Only where every operation has some: one without may match by anything. */
function ofEveryOperation<T extends Key>(
  { to }: Rule,
  keys: (operation: Rule["to"][number]) => readonly T[] | undefined,
): readonly T[] | undefined {
  const [first] = to;
  if (to.length === 1 && first) return keys(first);
  const all: T[] = [];
  for (const operation of to) {
    const own = keys(operation);
    if (!own) return undefined;
    for (const key of own) all.push(key);
  }
  return some(all);
}

function texts(list: readonly PathMatch[] | undefined): readonly string[] | undefined {
  if (!list || list.length === 0) return undefined;
  const keys: string[] = [];
  for (const match of list) {
    const key = textKey(match);
    if (key === undefined) return undefined;
    keys.push(key);
  }
  return keys;
}

function textKey(match: PathMatch): string | undefined {
  if (match.kind === "present") return undefined;
  if (match.kind === "template") return `${templateStart(match.value)}*`;
  const { kind, value } = match;
  // A pattern of nothing, and a star that is no wildcard of ours, are left to the matcher.
  if (value === "" || value.includes("*")) return undefined;
  if (kind === "exact") return value;
  return kind === "prefix" ? `${value}*` : `*${value}`;
}

function accounts(list: readonly ServiceAccountRef[] | undefined): readonly string[] | undefined {
  return some(list)?.map(({ namespace, name }) => `${namespace}/${name}`);
}

function blocks(list: readonly Cidr[] | undefined): readonly Key[] | undefined {
  return some(list)?.map(blockKey);
}

function some<T>(list: readonly T[] | undefined): readonly T[] | undefined {
  return list && list.length > 0 ? list : undefined;
}
