/** Compiled policies as protobuf. Total: every value of the model has a form on the wire. */
import { create } from "@bufbuild/protobuf";
import type {
  CompiledPolicy,
  Condition,
  Layer7Condition,
  Operation,
  PathMatch,
  RequestPrincipalMatch,
  Rule,
  Source,
  StringMatch,
} from "../model/authorization-policy.ts";
import type { Cidr } from "../model/ip.ts";
import { isLayer7Condition } from "../model/layer7-condition.ts";
import { encodeCidr } from "./cidr.ts";
import { POLICY_ACTIONS } from "./enum-table.ts";
import type * as wire from "./gen/weft/v1/node_pb.ts";
import {
  ConditionSchema,
  OperationSchema,
  PolicySchema,
  RequestPrincipalMatchSchema,
  RuleSchema,
  ServiceAccountRefSchema,
  SourceSchema,
  StringMatchSchema,
} from "./gen/weft/v1/node_pb.ts";

/** Its `ref` travels as the name of the resource. */
export function encodePolicy(policy: CompiledPolicy): wire.Policy {
  return create(PolicySchema, {
    action: POLICY_ACTIONS[policy.action],
    dryRun: policy.dryRun,
    invalid: policy.invalid,
    rules: policy.rules.map(encodeRule),
    provider: policy.provider ?? "",
  });
}

function encodeRule(rule: Rule): wire.Rule {
  return create(RuleSchema, {
    index: rule.index,
    from: rule.from.map(encodeSource),
    to: rule.to.map(encodeOperation),
    when: rule.when.map(encodeCondition),
  });
}

function encodeOperation({ ports, notPorts, layer7 }: Operation): wire.Operation {
  const layer4 = { ports: [...ports], notPorts: [...notPorts] };
  if (!layer7) return create(OperationSchema, layer4);
  return create(OperationSchema, {
    ...layer4,
    hosts: layer7.hosts.map(encodeMatch),
    notHosts: layer7.notHosts.map(encodeMatch),
    methods: layer7.methods.map(encodeMatch),
    notMethods: layer7.notMethods.map(encodeMatch),
    paths: layer7.paths.map(encodeMatch),
    notPaths: layer7.notPaths.map(encodeMatch),
  });
}

function encodeSource(source: Source): wire.Source {
  return create(SourceSchema, {
    principals: source.principals.map(encodeMatch),
    notPrincipals: source.notPrincipals.map(encodeMatch),
    namespaces: source.namespaces.map(encodeMatch),
    notNamespaces: source.notNamespaces.map(encodeMatch),
    serviceAccounts: source.serviceAccounts.map((ref) => create(ServiceAccountRefSchema, ref)),
    notServiceAccounts: source.notServiceAccounts.map((ref) =>
      create(ServiceAccountRefSchema, ref),
    ),
    trustDomains: source.trustDomains.map(encodeMatch),
    notTrustDomains: source.notTrustDomains.map(encodeMatch),
    ipBlocks: source.ipBlocks.map(encodeCidr),
    notIpBlocks: source.notIpBlocks.map(encodeCidr),
    requestPrincipals: source.layer7?.requestPrincipals.map(encodeRequestPrincipal) ?? [],
    notRequestPrincipals: source.layer7?.notRequestPrincipals.map(encodeRequestPrincipal) ?? [],
    remoteIpBlocks: source.layer7?.remoteIpBlocks.map(encodeCidr) ?? [],
    notRemoteIpBlocks: source.layer7?.notRemoteIpBlocks.map(encodeCidr) ?? [],
  });
}

function encodeCondition(condition: Condition): wire.Condition {
  if (isLayer7Condition(condition)) return encodeLayer7Condition(condition);
  const { key } = condition;
  switch (condition.key) {
    case "source.principal":
    case "source.namespace":
    case "source.trustDomain":
      return encodeTexts(condition);
    case "source.serviceAccount":
      return create(ConditionSchema, {
        key,
        serviceAccounts: condition.values.map((ref) => create(ServiceAccountRefSchema, ref)),
        notServiceAccounts: condition.notValues.map((ref) => create(ServiceAccountRefSchema, ref)),
      });
    case "source.ip":
    case "destination.ip":
      return encodeBlocks(condition);
    case "destination.port":
      return create(ConditionSchema, {
        key,
        ports: [...condition.values],
        notPorts: [...condition.notValues],
      });
  }
}

function encodeLayer7Condition(condition: Layer7Condition): wire.Condition {
  switch (condition.key) {
    case "connection.sni":
    case "request.auth.audiences":
    case "request.auth.presenter":
      return encodeTexts(condition);
    case "request.headers":
      return encodeTexts(condition, [condition.name]);
    case "request.auth.claims":
      return encodeTexts(condition, condition.path);
    case "remote.ip":
      return encodeBlocks(condition);
    case "request.auth.principal":
      return create(ConditionSchema, {
        key: condition.key,
        requestPrincipals: condition.values.map(encodeRequestPrincipal),
        notRequestPrincipals: condition.notValues.map(encodeRequestPrincipal),
      });
  }
}

/** `name`: the header, or the claim from the outermost object inwards. */
function encodeTexts(
  condition: Extract<Condition, { readonly values: readonly StringMatch[] }>,
  name: readonly string[] = [],
): wire.Condition {
  return create(ConditionSchema, {
    key: condition.key,
    name: [...name],
    strings: condition.values.map(encodeMatch),
    notStrings: condition.notValues.map(encodeMatch),
  });
}

function encodeBlocks(
  condition: Extract<Condition, { readonly values: readonly Cidr[] }>,
): wire.Condition {
  return create(ConditionSchema, {
    key: condition.key,
    blocks: condition.values.map(encodeCidr),
    notBlocks: condition.notValues.map(encodeCidr),
  });
}

function encodeRequestPrincipal({
  issuer,
  subject,
}: RequestPrincipalMatch): wire.RequestPrincipalMatch {
  return create(RequestPrincipalMatchSchema, {
    issuer: encodeMatch(issuer),
    subject: encodeMatch(subject),
  });
}

export function encodeMatch(match: PathMatch): wire.StringMatch {
  if (match.kind === "present") {
    return create(StringMatchSchema, { kind: { case: "present", value: true } });
  }
  return create(StringMatchSchema, { kind: { case: match.kind, value: match.value } });
}
