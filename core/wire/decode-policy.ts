/**
 * Protobuf policies as the model has them, every value checked.
 *
 * What this version cannot read marks that one policy `invalid`, so that it fails closed: a newer
 * operator's condition must not vanish from an ALLOW and so open it, nor may its refusal hold up the
 * batch that it came in, which may carry a new DENY.
 */
import type {
  CompiledPolicy,
  Operation,
  OperationLayer7,
  Rule,
  Source,
  SourceLayer7,
} from "../model/authorization-policy.ts";
import { decodeCidrs } from "./cidr.ts";
import { decodeCondition } from "./decode-condition.ts";
import {
  decodeAccounts,
  decodeMatches,
  decodePaths,
  decodePorts,
  decodeRequestPrincipals,
} from "./decode-policy-values.ts";
import { enumKeyOf, POLICY_ACTIONS } from "./enum-table.ts";
import { Findings } from "./findings.ts";
import type * as wire from "./gen/weft/v1/node_pb.ts";

interface DecodedPolicy {
  readonly policy: CompiledPolicy;
  /** What this version could not read; not empty makes the policy invalid. */
  readonly unread: readonly string[];
}

export function decodePolicy(ref: string, message: wire.Policy): DecodedPolicy {
  const findings = new Findings();
  const { dryRun, provider } = message;
  const policy: CompiledPolicy = {
    ref,
    action: findings.member("action", POLICY_ACTIONS, message.action),
    dryRun,
    invalid: message.invalid,
    ...(provider === "" ? {} : { provider: findings.text("provider", provider) }),
    rules: message.rules.map((rule) => decodeRule(rule, findings)),
  };
  if (hasUnknownField(message)) findings.add("a field of a newer version");
  if (findings.reasons.length === 0) return { policy, unread: [] };
  // An action that is not known is taken for the strictest: whatever else it means, it lets nobody in.
  const action = enumKeyOf(POLICY_ACTIONS, message.action) ?? "DENY";
  return {
    policy: { ref, action, dryRun, invalid: true, rules: [] },
    unread: findings.reasons,
  };
}

/** In the message or in any message within it. */
export function hasUnknownField(value: unknown): boolean {
  if (Array.isArray(value)) return value.some(hasUnknownField);
  if (typeof value !== "object" || value === null || ArrayBuffer.isView(value)) return false;
  if ("$unknown" in value && Array.isArray(value.$unknown) && value.$unknown.length > 0)
    return true;
  return Object.values(value).some(hasUnknownField);
}

function decodeRule(rule: wire.Rule, findings: Findings): Rule {
  return {
    index: rule.index,
    from: rule.from.map((source) => decodeSource(source, findings)),
    to: rule.to.map((operation) => decodeOperation(operation, findings)),
    when: rule.when.flatMap((condition) => decodeCondition(condition, findings)),
  };
}

function decodeOperation(operation: wire.Operation, findings: Findings): Operation {
  const layer7: OperationLayer7 = {
    hosts: decodeMatches(operation.hosts, findings),
    notHosts: decodeMatches(operation.notHosts, findings),
    methods: decodeMatches(operation.methods, findings),
    notMethods: decodeMatches(operation.notMethods, findings),
    paths: decodePaths(operation.paths, findings),
    notPaths: decodePaths(operation.notPaths, findings),
  };
  return {
    ports: decodePorts(operation.ports, findings),
    notPorts: decodePorts(operation.notPorts, findings),
    ...(isEmpty(layer7) ? {} : { layer7 }),
  };
}

function decodeSource(source: wire.Source, findings: Findings): Source {
  const layer7: SourceLayer7 = {
    requestPrincipals: decodeRequestPrincipals(source.requestPrincipals, findings),
    notRequestPrincipals: decodeRequestPrincipals(source.notRequestPrincipals, findings),
    remoteIpBlocks: decodeCidrs(source.remoteIpBlocks, findings),
    notRemoteIpBlocks: decodeCidrs(source.notRemoteIpBlocks, findings),
  };
  return {
    principals: decodeMatches(source.principals, findings),
    notPrincipals: decodeMatches(source.notPrincipals, findings),
    namespaces: decodeMatches(source.namespaces, findings),
    notNamespaces: decodeMatches(source.notNamespaces, findings),
    serviceAccounts: decodeAccounts(source.serviceAccounts, findings),
    notServiceAccounts: decodeAccounts(source.notServiceAccounts, findings),
    trustDomains: decodeMatches(source.trustDomains, findings),
    notTrustDomains: decodeMatches(source.notTrustDomains, findings),
    ipBlocks: decodeCidrs(source.ipBlocks, findings),
    notIpBlocks: decodeCidrs(source.notIpBlocks, findings),
    ...(isEmpty(layer7) ? {} : { layer7 }),
  };
}

function isEmpty(layer7: SourceLayer7 | OperationLayer7): boolean {
  return Object.values(layer7).every((list: readonly unknown[]) => list.length === 0);
}
