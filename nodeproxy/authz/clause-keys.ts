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
import type { Clause } from "./clause.ts";
import { blockHash, headHash, LONGEST, tailHash, textHash } from "./key-hash.ts";
import { templateStart } from "./match-text.ts";

export type Dimension = keyof typeof KEYS;

/** What of the attempt's value is compared, in the lowest three bits of a key's kind. */
export const EXACT = 0;
/** The kind's further bits: how many characters, or bits of an address. */
export const PREFIX = 1;
export const SUFFIX = 2;
export const BLOCK4 = 3;
export const BLOCK6 = 4;

/** Kind and hash by turns, one pair for each key. */
export type Keys = readonly number[];

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
export function keysOf(clause: Clause, dimension: Dimension): Keys | undefined {
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
    ofEveryOperation(rule, ({ ports }) => numbers(ports)) ??
    numbers(wanted(rule, "destination.port")),
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
function ofEveryOperation(
  { to }: Rule,
  keys: (operation: Rule["to"][number]) => Keys | undefined,
): Keys | undefined {
  const [first] = to;
  if (to.length === 1 && first) return keys(first);
  const all: number[] = [];
  for (const operation of to) {
    const own = keys(operation);
    if (!own) return undefined;
    for (const key of own) all.push(key);
  }
  return some(all);
}

function texts(list: readonly PathMatch[] | undefined): Keys | undefined {
  if (!list || list.length === 0) return undefined;
  const keys: number[] = [];
  for (const match of list) if (!addTextKey(keys, match)) return undefined;
  return keys;
}

/** False where the form fits texts of any beginning and end. */
function addTextKey(keys: number[], match: PathMatch): boolean {
  switch (match.kind) {
    case "present":
      return false;
    case "exact":
      keys.push(EXACT, textHash(match.value));
      return true;
    case "suffix": {
      const length = Math.min(match.value.length, LONGEST);
      keys.push(SUFFIX | (length << 3), tailHash(match.value, length));
      return length > 0;
    }
    case "prefix":
    case "template": {
      const start = match.kind === "prefix" ? match.value : templateStart(match.value);
      const length = Math.min(start.length, LONGEST);
      keys.push(PREFIX | (length << 3), headHash(start, length));
      return length > 0;
    }
  }
}

function accounts(list: readonly ServiceAccountRef[] | undefined): Keys | undefined {
  return some(list)?.flatMap(({ namespace, name }) => [EXACT, textHash(`${namespace}/${name}`)]);
}

function blocks(list: readonly Cidr[] | undefined): Keys | undefined {
  return some(list)?.flatMap((block) => [
    (block.family === 4 ? BLOCK4 : BLOCK6) | (block.prefixLength << 3),
    blockHash(block),
  ]);
}

function numbers(list: readonly number[] | undefined): Keys | undefined {
  return some(list)?.flatMap((number) => [EXACT, number]);
}

function some<T>(list: readonly T[] | undefined): readonly T[] | undefined {
  return list && list.length > 0 ? list : undefined;
}
