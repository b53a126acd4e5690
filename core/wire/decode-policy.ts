/**
 * Protobuf policies as the model has them, every value checked.
 *
 * A field this version does not know marks the policy `invalid`: a newer operator's `methods` must
 * not vanish from an ALLOW and so open it. `invalid` fails closed for this one policy, where a
 * refusal would hold up its whole batch.
 */
import type { Message } from "@bufbuild/protobuf";
import type {
  CompiledPolicy,
  Condition,
  Rule,
  ServiceAccountRef,
  Source,
  StringMatch,
} from "../model/authorization-policy.ts";
import { decodeCidrs } from "./cidr.ts";
import { POLICY_ACTIONS } from "./enum-table.ts";
import type { Findings } from "./findings.ts";
import type * as wire from "./gen/weft/v1/node_pb.ts";

const ANY_PORT = [0, 65_535] as const;

export function decodePolicy(ref: string, policy: wire.Policy, findings: Findings): CompiledPolicy {
  return {
    ref,
    action: findings.member("action", POLICY_ACTIONS, policy.action),
    dryRun: policy.dryRun,
    invalid: policy.invalid || policyParts(policy).some(hasUnknownField),
    rules: policy.rules.map((rule) => decodeRule(rule, findings)),
  };
}

function hasUnknownField(message: Message): boolean {
  return message.$unknown !== undefined && message.$unknown.length > 0;
}

/** Every message within the policy, itself included. */
function policyParts(policy: wire.Policy): readonly Message[] {
  return [policy, ...policy.rules.flatMap(ruleParts)];
}

function ruleParts(rule: wire.Rule): readonly Message[] {
  return [
    rule,
    ...rule.to,
    ...rule.from.flatMap((from) => [
      from,
      ...from.principals,
      ...from.notPrincipals,
      ...from.namespaces,
      ...from.notNamespaces,
      ...from.serviceAccounts,
      ...from.notServiceAccounts,
      ...from.trustDomains,
      ...from.notTrustDomains,
      ...from.ipBlocks,
      ...from.notIpBlocks,
    ]),
    ...rule.when.flatMap((when) => [
      when,
      ...when.strings,
      ...when.notStrings,
      ...when.serviceAccounts,
      ...when.notServiceAccounts,
      ...when.blocks,
      ...when.notBlocks,
    ]),
  ];
}

function decodeRule(rule: wire.Rule, findings: Findings): Rule {
  return {
    index: rule.index,
    from: rule.from.map((source) => decodeSource(source, findings)),
    to: rule.to.map((to) => ({
      ports: decodePorts(to.ports, findings),
      notPorts: decodePorts(to.notPorts, findings),
    })),
    when: rule.when.flatMap((condition) => decodeCondition(condition, findings)),
  };
}

function decodeSource(source: wire.Source, findings: Findings): Source {
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
  };
}

/** One condition, or none where its key is not known (which is a finding). */
function decodeCondition(condition: wire.Condition, findings: Findings): readonly Condition[] {
  const { key } = condition;
  checkLists(condition, findings);
  switch (key) {
    case "source.principal":
    case "source.namespace":
    case "source.trustDomain":
      return [
        {
          key,
          values: decodeMatches(condition.strings, findings),
          notValues: decodeMatches(condition.notStrings, findings),
        },
      ];
    case "source.serviceAccount":
      return [
        {
          key,
          values: decodeAccounts(condition.serviceAccounts, findings),
          notValues: decodeAccounts(condition.notServiceAccounts, findings),
        },
      ];
    case "source.ip":
    case "destination.ip":
      return [
        {
          key,
          values: decodeCidrs(condition.blocks, findings),
          notValues: decodeCidrs(condition.notBlocks, findings),
        },
      ];
    case "destination.port":
      return [
        {
          key,
          values: decodePorts(condition.ports, findings),
          notValues: decodePorts(condition.notPorts, findings),
        },
      ];
    default:
      findings.add(`when.key: ${JSON.stringify(key.slice(0, 64))} is not known`);
      return [];
  }
}

/** Only the pair of lists that fits the key may be set: any other would be a constraint left unread. */
function checkLists(condition: wire.Condition, findings: Findings): void {
  const set = [
    condition.strings.length + condition.notStrings.length,
    condition.serviceAccounts.length + condition.notServiceAccounts.length,
    condition.blocks.length + condition.notBlocks.length,
    condition.ports.length + condition.notPorts.length,
  ];
  const own = listOfKey(condition.key);
  if (set.some((length, i) => length > 0 && i !== own)) {
    findings.add(`when: values that do not fit the key ${condition.key.slice(0, 64)}`);
  }
}

function listOfKey(key: string): number {
  if (key === "source.serviceAccount") return 1;
  if (key === "destination.port") return 3;
  return key.endsWith(".ip") ? 2 : 0;
}

function decodeMatches(matches: wire.StringMatch[], findings: Findings): readonly StringMatch[] {
  return matches.map((match) => decodeMatch(match, findings));
}

function decodeMatch({ kind }: wire.StringMatch, findings: Findings): StringMatch {
  if (kind.case === "present" && kind.value) return { kind: "present" };
  if (kind.case !== undefined && kind.case !== "present") {
    return { kind: kind.case, value: findings.text("match", kind.value) };
  }
  findings.add("match: of no known kind");
  return { kind: "exact", value: "" };
}

function decodeAccounts(
  refs: wire.ServiceAccountRef[],
  findings: Findings,
): readonly ServiceAccountRef[] {
  return refs.map((ref) => ({
    namespace: findings.name("serviceAccount.namespace", ref.namespace),
    name: findings.name("serviceAccount.name", ref.name),
  }));
}

function decodePorts(ports: readonly number[], findings: Findings): readonly number[] {
  return ports.map((port) => findings.integer("port", port, ANY_PORT));
}
