/** Asks the product what the oracle is asked: parses and compiles the written objects, and fills an attempt. */
import { ipBytes } from "../../core/model/ip.ts";
import type { Attempt, HttpFacts } from "../../nodeproxy/authz/attempt.ts";
import type { Decision } from "../../nodeproxy/authz/decide.ts";
import { createDecider, type Decider } from "../../nodeproxy/authz/decider.ts";
import type { Outcome } from "../../nodeproxy/authz/verdict.ts";
import { compileAuthorization } from "../../operator/compile/authorization.ts";
import { selectsWorkload } from "../../operator/compile/selects-workload.ts";
import { parseAuthorizationPolicy } from "../../operator/resources/authorization-policy.ts";
import type { AskedAttempt, AskedRequest } from "./asked.ts";
import type { Question } from "./oracle.ts";

/** The policies of one workload, from the objects as written. */
export function deciderFor({ policies, workload, mesh }: Omit<Question, "attempt">): Decider {
  const compiled = policies.map(({ namespace, name, dryRun, spec }) => {
    const annotations = dryRun ? { "weft.dev/dry-run": "true" } : {};
    const metadata = { namespace, name, annotations };
    const object = { apiVersion: "weft.dev/v1", kind: "AuthorizationPolicy", metadata, spec };
    return compileAuthorization(
      parseAuthorizationPolicy(object, { rootNamespace: mesh.rootNamespace }),
    );
  });
  const selecting = compiled
    .filter((item) => item !== undefined)
    .filter((item) => selectsWorkload(item, workload, mesh.rootNamespace));
  const byRef = new Map(selecting.map(({ policy }) => [policy.ref, policy]));
  const [trustDomain = "", ...trustDomainAliases] = mesh.domains;
  return createDecider({
    refs: [...byRef.keys()],
    policyOf: (ref) => byRef.get(ref),
    settings: { trustDomain, trustDomainAliases },
    providers: mesh.providers,
  });
}

export function attemptOf(asked: AskedAttempt): Attempt {
  const { peer, sni, remoteIp, http } = asked;
  return {
    ...(peer
      ? {
          peer: {
            trustDomain: peer.domain,
            namespace: peer.namespace,
            serviceAccount: peer.account,
          },
        }
      : {}),
    sourceIp: ipBytes(asked.sourceIp) ?? [],
    destinationIp: ipBytes(asked.destinationIp) ?? [],
    destinationPort: asked.port,
    ...(sni === undefined ? {} : { sni }),
    ...(remoteIp === undefined ? {} : { remoteIp: ipBytes(remoteIp) ?? [] }),
    ...(http ? { http: httpOf(http) } : {}),
    answers: new Map(Object.entries(asked.answers)),
  };
}

function httpOf({ method, path, host, headers, claims }: AskedRequest): HttpFacts {
  const lines = Map.groupBy(headers, ([name]) => name);
  const texts = new Map([...lines].map(([name, all]) => [name, all.map(([, value]) => value)]));
  return { method, path, host, headers: texts, ...(claims ? { claims } : {}) };
}

/** In the oracle's words. */
export function wordsOf(outcome: Outcome | Decision["verdict"]): string {
  if (outcome.kind === "permit") {
    return outcome.by ? `permit by ${outcome.by.policy} ${outcome.by.rule}` : "permit";
  }
  const { reason, policy, rule, ask } = outcome;
  const words = ask === undefined ? ["deny", reason] : ["ask", ask];
  return [...words, policy, rule].filter((word) => word !== undefined).join(" ");
}
