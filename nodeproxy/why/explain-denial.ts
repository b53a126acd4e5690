/** What do the policies of now make of a call that was denied, and has the policy changed that decided then? Pure. */
import type { CompiledPolicy } from "../../core/model/authorization-policy.ts";
import type { DeniedAttempt, DeniedFacts, DeniedRequest } from "../../core/model/denied-attempt.ts";
import { ipBytes } from "../../core/model/ip.ts";
import type { Attempt, HttpFacts } from "../authz/attempt.ts";
import { type Arrival, judgeAttempt } from "./judge-attempt.ts";
import type { MeshView } from "./mesh-view.ts";
import { type DenialAnswer, FORMAT } from "./why-answer.ts";

export interface DenialQuestion {
  readonly attempt: DeniedAttempt | undefined;
  /** `denials/policy-mark.ts`. */
  readonly markOf: (policy: CompiledPolicy) => string;
}

export function explainDenial(
  view: MeshView,
  { attempt: denied, markOf }: DenialQuestion,
): DenialAnswer {
  if (!denied) return { kind: "not_kept", format: FORMAT, node: view.node };
  const enrolment = view.enrolments.get(denied.pod);
  const attempt = attemptOf(denied.facts);
  const arrival: Arrival = {
    arrives: attempt.peer ? "mutual_tls" : "plaintext",
    arrivesBecause: "",
  };
  return {
    kind: "denial",
    format: FORMAT,
    node: view.node,
    attempt: denied,
    ...(enrolment ? { now: judgeAttempt(view, { enrolment, attempt, arrival }) } : {}),
    decided: sinceThen(view, denied, markOf),
  };
}

function sinceThen(
  view: MeshView,
  denied: DeniedAttempt,
  markOf: DenialQuestion["markOf"],
): Extract<DenialAnswer, { readonly kind: "denial" }>["decided"] {
  const { decided } = denied;
  if (!decided) return "none";
  const applies = view.enrolments.get(denied.pod)?.policies.includes(decided.policy) ?? false;
  const policy = applies ? view.policies.get(decided.policy) : undefined;
  if (!policy) return decided.mark === "" ? "same" : "gone";
  return markOf(policy) === decided.mark ? "same" : "changed";
}

function attemptOf(facts: DeniedFacts): Attempt {
  const { peer, sourceIp, destinationIp, destinationPort, sni, remoteIp, request } = facts;
  return {
    ...(peer ? { peer } : {}),
    sourceIp: ipBytes(sourceIp) ?? [],
    destinationIp: ipBytes(destinationIp) ?? [],
    destinationPort,
    ...(sni === undefined ? {} : { sni }),
    ...(remoteIp === undefined ? {} : { remoteIp: ipBytes(remoteIp) ?? [] }),
    ...(request ? { http: httpOf(request) } : {}),
  };
}

/** As far as it was kept. */
function httpOf({ method, path, host, headers, token }: DeniedRequest): HttpFacts {
  const lines = new Map<string, readonly string[]>([["host", [host]]]);
  for (const [name, value] of headers) lines.set(name, [...(lines.get(name) ?? []), value]);
  const claims = token ? { claims: { iss: token.issuer, sub: token.subject } } : {};
  return { method, path, host, headers: lines, ...claims };
}
