/** Reads one rule of an AuthorizationPolicy: `from`, `to` and `when`, with the attributes of layer 7 too. */
import type { Operation, Source } from "../../core/model/authorization-policy.ts";
import { type Field, isFields, isObjectOf, listOf, member, refuse } from "./fields.ts";
import { parsePathForm } from "./path-form.ts";
import { type PolicyCondition, parseCondition } from "./policy-condition.ts";
import { parseBlock, parseBlockText, parsePort, serviceAccountParser } from "./policy-values.ts";
import { parsePrincipalMatch, parseStringForm, parseStringMatch } from "./string-match.ts";

export interface PolicyRule {
  readonly from: readonly PolicySource[];
  readonly to: readonly PolicyOperation[];
  readonly when: readonly PolicyCondition[];
}

/** Attributes of layer 7 by field name, values as written; a field that is not given is not there. */
export type Layer7Fields = Readonly<Record<string, readonly string[]>>;

export interface PolicySource {
  readonly layer4: Source;
  readonly layer7: Layer7Fields;
}

export interface PolicyOperation {
  readonly layer4: Operation;
  readonly layer7: Layer7Fields;
}

type ParseText = (item: Field) => string | undefined;

const SOURCE_LAYER7: Readonly<Record<string, ParseText>> = {
  requestPrincipals: parseStringForm,
  notRequestPrincipals: parseStringForm,
  remoteIpBlocks: parseBlockText,
  notRemoteIpBlocks: parseBlockText,
};

const OPERATION_LAYER7: Readonly<Record<string, ParseText>> = {
  hosts: parseStringForm,
  notHosts: parseStringForm,
  methods: parseStringForm,
  notMethods: parseStringForm,
  paths: parsePathForm,
  notPaths: parsePathForm,
};

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
  ...Object.keys(SOURCE_LAYER7),
];

const OPERATION_FIELDS = ["ports", "notPorts", ...Object.keys(OPERATION_LAYER7)];

/** `namespace` is the policy's own: service accounts without one are meant in it. */
export function parseRule(field: Field, namespace: string): PolicyRule | undefined {
  if (!isObjectOf(field, ["from", "to", "when"])) return undefined;
  return {
    from: listOf(field, "from", (item) => parseSource(item, namespace)),
    to: listOf(field, "to", parseOperation),
    when: listOf(field, "when", (item) => parseCondition(item, namespace)),
  };
}

function parseSource(item: Field, namespace: string): PolicySource | undefined {
  const source = only(item, { name: "source", fields: SOURCE_FIELDS });
  if (!source) return undefined;
  const account = serviceAccountParser(namespace);
  return {
    layer4: {
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
    },
    layer7: layer7Of(source, SOURCE_LAYER7),
  };
}

function parseOperation(item: Field): PolicyOperation | undefined {
  const operation = only(item, { name: "operation", fields: OPERATION_FIELDS });
  if (!operation) return undefined;
  return {
    layer4: {
      ports: listOf(operation, "ports", parsePort),
      notPorts: listOf(operation, "notPorts", parsePort),
    },
    layer7: layer7Of(operation, OPERATION_LAYER7),
  };
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

function layer7Of(field: Field, parsers: Readonly<Record<string, ParseText>>): Layer7Fields {
  const given = Object.entries(parsers).filter(([name]) => member(field, name));
  return Object.fromEntries(given.map(([name, parse]) => [name, listOf(field, name, parse)]));
}
