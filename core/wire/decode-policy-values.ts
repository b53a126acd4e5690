/** The single values of policies from protobuf; what cannot be read is a finding. */
import type {
  PathMatch,
  RequestPrincipalMatch,
  ServiceAccountRef,
  StringMatch,
} from "../model/authorization-policy.ts";
import type { Findings } from "./findings.ts";
import type * as wire from "./gen/weft/v1/node_pb.ts";

const ANY_PORT = [0, 65_535] as const;
const NOTHING: StringMatch = { kind: "exact", value: "" };

export function decodeMatches(
  matches: readonly wire.StringMatch[],
  findings: Findings,
): readonly StringMatch[] {
  return matches.map((match) => decodeMatch(match, findings));
}

export function decodePaths(
  matches: readonly wire.StringMatch[],
  findings: Findings,
): readonly PathMatch[] {
  return matches.map((match) =>
    match.kind.case === "template"
      ? { kind: "template", value: findings.text("match", match.kind.value) }
      : decodeMatch(match, findings),
  );
}

function decodeMatch(match: wire.StringMatch | undefined, findings: Findings): StringMatch {
  const kind = match?.kind;
  switch (kind?.case) {
    case "exact":
    case "prefix":
    case "suffix":
      return { kind: kind.case, value: findings.text("match", kind.value) };
    case "present":
      if (kind.value) return { kind: "present" };
      break;
    case "template":
    case undefined:
      break;
  }
  findings.add("match: of no known kind");
  return NOTHING;
}

export function decodeRequestPrincipals(
  matches: readonly wire.RequestPrincipalMatch[],
  findings: Findings,
): readonly RequestPrincipalMatch[] {
  return matches.map(({ issuer, subject }) => ({
    issuer: decodeMatch(issuer, findings),
    subject: decodeMatch(subject, findings),
  }));
}

export function decodeAccounts(
  refs: readonly wire.ServiceAccountRef[],
  findings: Findings,
): readonly ServiceAccountRef[] {
  return refs.map((ref) => ({
    namespace: findings.name("serviceAccount.namespace", ref.namespace),
    name: findings.name("serviceAccount.name", ref.name),
  }));
}

export function decodePorts(ports: readonly number[], findings: Findings): readonly number[] {
  return ports.map((port) => findings.integer("port", port, ANY_PORT));
}
