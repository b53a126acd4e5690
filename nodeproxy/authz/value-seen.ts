/** What an attempt shows for a field of a policy, as texts for people; in all the forms that are compared. */
import type { Condition } from "../../core/model/authorization-policy.ts";
import { formatIp } from "../../core/model/ip.ts";
import type { Subject } from "./subject.ts";
import { claimTexts, textClaim } from "./token-facts.ts";

type Shown = readonly string[];

/** By the name of a field without its `not`, or of a condition. */
const SHOWN: Readonly<Record<string, (subject: Subject) => Shown>> = {
  principals: ({ names }) => names.principals,
  namespaces: ({ names }) => names.namespaces,
  serviceAccounts: ({ names }) => some(names.account),
  trustDomains: ({ names }) => names.trustDomains,
  ipBlocks: ({ attempt }) => [formatIp(attempt.sourceIp)],
  remoteIpBlocks: ({ attempt }) => (attempt.remoteIp ? [formatIp(attempt.remoteIp)] : []),
  requestPrincipals: requestPrincipal,
  ports: ({ attempt }) => [`${attempt.destinationPort}`],
  hosts: ({ hosts }) => hosts,
  methods: ({ attempt }) => some(attempt.http?.method),
  paths: ({ attempt }) => some(attempt.http?.path),
  "destination.ip": ({ attempt }) => [formatIp(attempt.destinationIp)],
  "connection.sni": ({ serverNames }) => serverNames,
  "request.auth.audiences": ({ attempt }) => claimTexts(attempt.http?.claims, ["aud"]),
  "request.auth.presenter": ({ attempt }) => claimTexts(attempt.http?.claims, ["azp"]),
};

/** Conditions that ask for what a field asks for. */
const SAME: Readonly<Record<string, string>> = {
  "source.principal": "principals",
  "source.namespace": "namespaces",
  "source.serviceAccount": "serviceAccounts",
  "source.trustDomain": "trustDomains",
  "source.ip": "ipBlocks",
  "remote.ip": "remoteIpBlocks",
  "destination.port": "ports",
  "request.auth.principal": "requestPrincipals",
};

/** `condition`: where the field is one of `when`. */
export function valueSeen(
  field: string,
  condition: Condition | undefined,
  subject: Subject,
): Shown {
  const { http } = subject.attempt;
  if (condition?.key === "request.headers") return http?.headers.get(condition.name) ?? [];
  if (condition?.key === "request.auth.claims") return claimTexts(http?.claims, condition.path);
  const name = condition ? (SAME[condition.key] ?? condition.key) : positive(field);
  return SHOWN[name]?.(subject) ?? [];
}

/** `notPorts` is about `ports`. */
function positive(field: string): string {
  return field.replace(/^not([A-Z])/, (_, first: string) => first.toLowerCase());
}

function requestPrincipal({ attempt }: Subject): Shown {
  const issuer = textClaim(attempt.http?.claims, "iss");
  const subject = textClaim(attempt.http?.claims, "sub");
  return issuer === undefined || subject === undefined ? [] : [`${issuer}/${subject}`];
}

function some(text: string | undefined): Shown {
  return text ? [text] : [];
}
