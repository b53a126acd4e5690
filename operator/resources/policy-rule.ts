/** Reads one rule of an AuthorizationPolicy: `from`, `to` and `when`. */
import type {
  Operation,
  OperationLayer7,
  Rule,
  Source,
  SourceLayer7,
} from "../../core/model/authorization-policy.ts";
import { type Field, isFields, isObjectOf, listOf, member, refuse } from "./fields.ts";
import { parsePathMatch } from "./path-match.ts";
import { parseCondition } from "./policy-condition.ts";
import { parseBlock, parsePort, serviceAccountParser } from "./policy-values.ts";
import { parseRequestPrincipal } from "./request-principal.ts";
import { parseHostMatch, parsePrincipalMatch, parseStringMatch } from "./string-match.ts";

export type PolicyRule = Omit<Rule, "index">;

const SOURCE_LAYER7 = [
  "requestPrincipals",
  "notRequestPrincipals",
  "remoteIpBlocks",
  "notRemoteIpBlocks",
] as const satisfies readonly (keyof SourceLayer7)[];

const OPERATION_LAYER7 = [
  "hosts",
  "notHosts",
  "methods",
  "notMethods",
  "paths",
  "notPaths",
] as const satisfies readonly (keyof OperationLayer7)[];

const SOURCE_FIELDS = [
  "principals",
  "notPrincipals",
  "namespaces",
  "notNamespaces",
  "serviceAccounts",
  "notServiceAccounts",
  "trustDomains",
  "notTrustDomains",
  "ipBlocks",
  "notIpBlocks",
  ...SOURCE_LAYER7,
];

const OPERATION_FIELDS = ["ports", "notPorts", ...OPERATION_LAYER7];

/** `namespace` is the policy's own: service accounts without one are meant in it. */
export function parseRule(field: Field, namespace: string): PolicyRule | undefined {
  if (!isObjectOf(field, ["from", "to", "when"])) return undefined;
  return {
    from: listOf(field, "from", (item) => parseSource(item, namespace)),
    to: listOf(field, "to", parseOperation),
    when: listOf(field, "when", (item) => parseCondition(item, namespace)),
  };
}

function parseSource(item: Field, namespace: string): Source | undefined {
  const source = only(item, { name: "source", fields: SOURCE_FIELDS });
  if (!source) return undefined;
  const account = serviceAccountParser(namespace);
  const layer4 = {
    principals: listOf(source, "principals", parsePrincipalMatch),
    notPrincipals: listOf(source, "notPrincipals", parsePrincipalMatch),
    namespaces: listOf(source, "namespaces", parseStringMatch),
    notNamespaces: listOf(source, "notNamespaces", parseStringMatch),
    serviceAccounts: listOf(source, "serviceAccounts", account),
    notServiceAccounts: listOf(source, "notServiceAccounts", account),
    trustDomains: listOf(source, "trustDomains", parseStringMatch),
    notTrustDomains: listOf(source, "notTrustDomains", parseStringMatch),
    ipBlocks: listOf(source, "ipBlocks", parseBlock),
    notIpBlocks: listOf(source, "notIpBlocks", parseBlock),
  };
  if (!isAnyGiven(source, SOURCE_LAYER7)) return layer4;
  const layer7: SourceLayer7 = {
    requestPrincipals: listOf(source, "requestPrincipals", parseRequestPrincipal),
    notRequestPrincipals: listOf(source, "notRequestPrincipals", parseRequestPrincipal),
    remoteIpBlocks: listOf(source, "remoteIpBlocks", parseBlock),
    notRemoteIpBlocks: listOf(source, "notRemoteIpBlocks", parseBlock),
  };
  return { ...layer4, layer7 };
}

function parseOperation(item: Field): Operation | undefined {
  const operation = only(item, { name: "operation", fields: OPERATION_FIELDS });
  if (!operation) return undefined;
  const layer4 = {
    ports: listOf(operation, "ports", parsePort),
    notPorts: listOf(operation, "notPorts", parsePort),
  };
  if (!isAnyGiven(operation, OPERATION_LAYER7)) return layer4;
  const layer7: OperationLayer7 = {
    hosts: listOf(operation, "hosts", parseHostMatch),
    notHosts: listOf(operation, "notHosts", parseHostMatch),
    methods: listOf(operation, "methods", parseStringMatch),
    notMethods: listOf(operation, "notMethods", parseStringMatch),
    paths: listOf(operation, "paths", parsePathMatch),
    notPaths: listOf(operation, "notPaths", parsePathMatch),
  };
  return { ...layer4, layer7 };
}

/** The one member of a list's entry, with at least one known field: `- source: {…}`, `- operation: {…}`. */
function only(
  item: Field,
  { name, fields }: { readonly name: string; readonly fields: readonly string[] },
): Field | undefined {
  if (!isObjectOf(item, [name])) return undefined;
  const field = member(item, name);
  if (!field) return refuse(item, `${name} must be given`);
  if (!isObjectOf(field, fields)) return undefined;
  const isEmpty = isFields(field.value) && Object.keys(field.value).length === 0;
  return isEmpty ? refuse(field, "must have at least one field") : field;
}

function isAnyGiven(field: Field, names: readonly string[]): boolean {
  return names.some((name) => member(field, name) !== undefined);
}
