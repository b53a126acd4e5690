/** Compiled policies as protobuf. Total: every value of the model has a form on the wire. */
import { create } from "@bufbuild/protobuf";
import type {
  CompiledPolicy,
  Condition,
  Rule,
  Source,
  StringMatch,
} from "../model/authorization-policy.ts";
import { encodeCidr } from "./cidr.ts";
import { POLICY_ACTIONS } from "./enum-table.ts";
import type * as wire from "./gen/weft/v1/node_pb.ts";
import {
  ConditionSchema,
  OperationSchema,
  PolicySchema,
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
  });
}

function encodeRule(rule: Rule): wire.Rule {
  return create(RuleSchema, {
    index: rule.index,
    from: rule.from.map(encodeSource),
    to: rule.to.map((to) =>
      create(OperationSchema, { ports: [...to.ports], notPorts: [...to.notPorts] }),
    ),
    when: rule.when.map(encodeCondition),
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
  });
}

function encodeCondition(condition: Condition): wire.Condition {
  const { key } = condition;
  switch (condition.key) {
    case "source.principal":
    case "source.namespace":
    case "source.trustDomain":
      return create(ConditionSchema, {
        key,
        strings: condition.values.map(encodeMatch),
        notStrings: condition.notValues.map(encodeMatch),
      });
    case "source.serviceAccount":
      return create(ConditionSchema, {
        key,
        serviceAccounts: condition.values.map((ref) => create(ServiceAccountRefSchema, ref)),
        notServiceAccounts: condition.notValues.map((ref) => create(ServiceAccountRefSchema, ref)),
      });
    case "source.ip":
    case "destination.ip":
      return create(ConditionSchema, {
        key,
        blocks: condition.values.map(encodeCidr),
        notBlocks: condition.notValues.map(encodeCidr),
      });
    case "destination.port":
      return create(ConditionSchema, {
        key,
        ports: [...condition.values],
        notPorts: [...condition.notValues],
      });
  }
}

function encodeMatch(match: StringMatch): wire.StringMatch {
  if (match.kind === "present") {
    return create(StringMatchSchema, { kind: { case: "present", value: true } });
  }
  return create(StringMatchSchema, { kind: { case: match.kind, value: match.value } });
}
