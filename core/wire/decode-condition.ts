/** One condition of a policy's rule from protobuf. What does not fit its key is a finding: it would be a constraint left unread. */
import type { Condition } from "../model/authorization-policy.ts";
import { decodeCidrs } from "./cidr.ts";
import {
  decodeAccounts,
  decodeMatches,
  decodePorts,
  decodeRequestPrincipals,
} from "./decode-policy-values.ts";
import type { Findings } from "./findings.ts";
import type * as wire from "./gen/weft/v1/node_pb.ts";

type Lists = "strings" | "serviceAccounts" | "blocks" | "ports" | "requestPrincipals";

/** Which pair of lists a key has, and how many names. */
const KEYS: Readonly<Record<Condition["key"], readonly [Lists, names: "none" | "one" | "some"]>> = {
  "source.principal": ["strings", "none"],
  "source.namespace": ["strings", "none"],
  "source.trustDomain": ["strings", "none"],
  "source.serviceAccount": ["serviceAccounts", "none"],
  "source.ip": ["blocks", "none"],
  "remote.ip": ["blocks", "none"],
  "destination.ip": ["blocks", "none"],
  "destination.port": ["ports", "none"],
  "connection.sni": ["strings", "none"],
  "request.headers": ["strings", "one"],
  "request.auth.principal": ["requestPrincipals", "none"],
  "request.auth.audiences": ["strings", "none"],
  "request.auth.presenter": ["strings", "none"],
  "request.auth.claims": ["strings", "some"],
};

/** One condition, or none where its key is not known (which is a finding). */
export function decodeCondition(
  condition: wire.Condition,
  findings: Findings,
): readonly Condition[] {
  const { key } = condition;
  if (!isKey(key)) {
    findings.add(`when.key: ${JSON.stringify(key.slice(0, 64))} is not known`);
    return [];
  }
  checkLists(condition, key, findings);
  return [decodeKnown(condition, key, findings)];
}

function decodeKnown(
  condition: wire.Condition,
  key: Condition["key"],
  findings: Findings,
): Condition {
  if (key === "source.serviceAccount") {
    return {
      key,
      values: decodeAccounts(condition.serviceAccounts, findings),
      notValues: decodeAccounts(condition.notServiceAccounts, findings),
    };
  }
  if (key === "destination.port") {
    return {
      key,
      values: decodePorts(condition.ports, findings),
      notValues: decodePorts(condition.notPorts, findings),
    };
  }
  if (key === "request.auth.principal") {
    return {
      key,
      values: decodeRequestPrincipals(condition.requestPrincipals, findings),
      notValues: decodeRequestPrincipals(condition.notRequestPrincipals, findings),
    };
  }
  return decodeBlocksOrTexts(condition, key, findings);
}

type OwnKey = "source.serviceAccount" | "destination.port" | "request.auth.principal";
type BlockKey = "source.ip" | "remote.ip" | "destination.ip";
type TextKey = Exclude<Condition["key"], OwnKey | BlockKey>;

function decodeBlocksOrTexts(
  condition: wire.Condition,
  key: BlockKey | TextKey,
  findings: Findings,
): Condition {
  if (!isBlockKey(key)) return decodeTexts(condition, key, findings);
  return {
    key,
    values: decodeCidrs(condition.blocks, findings),
    notValues: decodeCidrs(condition.notBlocks, findings),
  };
}

function isBlockKey(key: BlockKey | TextKey): key is BlockKey {
  return KEYS[key][0] === "blocks";
}

function decodeTexts(condition: wire.Condition, key: TextKey, findings: Findings): Condition {
  const values = decodeMatches(condition.strings, findings);
  const notValues = decodeMatches(condition.notStrings, findings);
  const names = condition.name.map((name) => findings.text("when.name", name));
  if (key === "request.headers") return { key, name: names[0] ?? "", values, notValues };
  if (key === "request.auth.claims") return { key, path: names, values, notValues };
  return { key, values, notValues };
}

function checkLists(condition: wire.Condition, key: Condition["key"], findings: Findings): void {
  const lengths: Readonly<Record<Lists, number>> = {
    strings: condition.strings.length + condition.notStrings.length,
    serviceAccounts: condition.serviceAccounts.length + condition.notServiceAccounts.length,
    blocks: condition.blocks.length + condition.notBlocks.length,
    ports: condition.ports.length + condition.notPorts.length,
    requestPrincipals: condition.requestPrincipals.length + condition.notRequestPrincipals.length,
  };
  const [own, names] = KEYS[key];
  const isForeign = Object.entries(lengths).some(([name, length]) => length > 0 && name !== own);
  const count = condition.name.length;
  const isNamed = names === "some" ? count > 0 : count === (names === "one" ? 1 : 0);
  if (isForeign || !isNamed) findings.add(`when: values that do not fit the key ${key}`);
}

function isKey(key: string): key is Condition["key"] {
  return Object.hasOwn(KEYS, key);
}
