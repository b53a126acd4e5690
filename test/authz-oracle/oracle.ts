/**
 * The second evaluator, for tests only: written from the text of the policy language alone. No index,
 * no compiling, no code of the product; it reads the objects as users wrote them, each time anew.
 */
import { isInBlock } from "./addresses.ts";
import type {
  AskedAttempt,
  AskedRequest,
  AskedWorkload,
  Mesh,
  WrittenCondition,
  WrittenLists,
  WrittenPolicy,
  WrittenRule,
} from "./asked.ts";
import {
  claimValues,
  fits,
  fitsPath,
  fitsRequestPrincipal,
  headerReadings,
  hostTexts,
} from "./values.ts";

export interface Question {
  readonly policies: readonly WrittenPolicy[];
  readonly workload: AskedWorkload;
  readonly mesh: Mesh;
  readonly attempt: AskedAttempt;
}

/** `permit`, `permit by POLICY RULE`, `deny REASON POLICY RULE`, `ask PROVIDER POLICY RULE`. */
export function oracleVerdict(question: Question): string {
  const { policies, workload, mesh } = question;
  const applying = policies
    .filter((policy) => applies(policy, workload, mesh) && !policy.dryRun)
    .map((policy) => ({ policy, ref: `${policy.namespace}/${policy.name}` }))
    .toSorted((a, b) => (a.ref < b.ref ? -1 : 1));
  for (const { policy, ref } of applying) {
    if (policy.spec.action !== "CUSTOM") continue;
    const said = customVerdict(policy, ref, question);
    if (said !== undefined) return said;
  }
  for (const { policy, ref } of applying) {
    if (policy.spec.action !== "DENY") continue;
    if (policy.broken) return `deny policy_invalid ${ref}`;
    const rule = matchingRule(policy, question);
    if (rule >= 0) return `deny denied_by_policy ${ref} ${rule}`;
  }
  const allows = applying.filter(({ policy }) => policy.spec.action === "ALLOW");
  if (allows.length === 0) return "permit";
  for (const { policy, ref } of allows) {
    const rule = policy.broken ? -1 : matchingRule(policy, question);
    if (rule >= 0) return `permit by ${ref} ${rule}`;
  }
  return "deny not_allowed";
}

function customVerdict(policy: WrittenPolicy, ref: string, question: Question): string | undefined {
  if (policy.broken) return `deny policy_invalid ${ref}`;
  const rule = matchingRule(policy, question);
  if (rule < 0) return undefined;
  const provider = policy.spec.provider?.name ?? "";
  const answer = question.attempt.answers[provider];
  if (answer === "permit") return undefined;
  const mayBeAsked = question.mesh.providers.includes(provider) && answer === undefined;
  return mayBeAsked ? `ask ${provider} ${ref} ${rule}` : `deny denied_by_provider ${ref} ${rule}`;
}

/** Names of the policies that matched and did not decide: AUDIT, and what is in dry run. */
export function oracleObserved(question: Question): readonly string[] {
  const { policies, workload, mesh, attempt } = question;
  return policies
    .filter((policy) => applies(policy, workload, mesh))
    .filter(({ spec, dryRun }) => dryRun || spec.action === "AUDIT")
    .filter(({ spec, broken }) => broken || attempt.answers[spec.provider?.name ?? ""] !== "permit")
    .filter((policy) => {
      if (!policy.broken) return matchingRule(policy, question) >= 0;
      return policy.spec.action === "DENY" || policy.spec.action === "CUSTOM";
    })
    .map(({ namespace, name }) => `${namespace}/${name}`)
    .toSorted();
}

function applies({ namespace, spec }: WrittenPolicy, workload: AskedWorkload, mesh: Mesh): boolean {
  const { selector, targetRefs } = spec;
  if (targetRefs) {
    const isPicked = targetRefs.some(({ name }) => workload.services.includes(name));
    return namespace === workload.namespace && isPicked;
  }
  if (namespace !== workload.namespace && namespace !== mesh.rootNamespace) return false;
  const wanted = Object.entries(selector?.matchLabels ?? {});
  return wanted.every(([key, value]) =>
    Object.entries(workload.labels).some((label) => label[0] === key && label[1] === value),
  );
}

function matchingRule(policy: WrittenPolicy, question: Question): number {
  return (policy.spec.rules ?? []).findIndex((rule) => ruleMatches(policy, rule, question));
}

/** What a part of a rule comes to: it holds, it does not, or nobody could look. */
type Finding = "holds" | "fails" | "unseen";

function ruleMatches(policy: WrittenPolicy, rule: WrittenRule, question: Question): boolean {
  const isAllow = policy.spec.action === "ALLOW";
  const from = (rule.from ?? []).map(({ source }) => partFindings(source, policy, question));
  const to = (rule.to ?? []).map(({ operation }) => partFindings(operation, policy, question));
  const when = (rule.when ?? []).flatMap((condition) =>
    conditionFinding(condition, policy, question),
  );
  // "an ALLOW rule with one is dropped whole"
  if (isAllow && [...from.flat(), ...to.flat(), ...when].includes("unseen")) return false;
  // "of a DENY, AUDIT or CUSTOM rule the attribute is erased and the rest stays"
  return (
    (from.length === 0 || from.some(isClear)) &&
    (to.length === 0 || to.some(isClear)) &&
    isClear(when)
  );
}

function isClear(findings: readonly Finding[]): boolean {
  return !findings.includes("fails");
}

function partFindings(
  lists: WrittenLists,
  policy: WrittenPolicy,
  question: Question,
): readonly Finding[] {
  return Object.entries(lists).map(([field, values]) => {
    const isNot = /^not[A-Z]/.test(field);
    const name = isNot ? field.charAt(3).toLowerCase() + field.slice(4) : field;
    const matcher = matcherOf(FIELD_KEYS[name] ?? name, policy, question);
    if (matcher === "unseen") return "unseen";
    return values.some(matcher) === isNot ? "fails" : "holds";
  });
}

/** Fields of sources and operations by the condition that asks for the same. */
const FIELD_KEYS: Readonly<Record<string, string>> = {
  principals: "source.principal",
  namespaces: "source.namespace",
  serviceAccounts: "source.serviceAccount",
  trustDomains: "source.trustDomain",
  ipBlocks: "source.ip",
  remoteIpBlocks: "remote.ip",
  requestPrincipals: "request.auth.principal",
  ports: "destination.port",
};

function conditionFinding(
  condition: WrittenCondition,
  policy: WrittenPolicy,
  question: Question,
): Finding {
  const { key, values = [], notValues = [] } = condition;
  const header = /^request\.headers\[(.*)\]$/.exec(key)?.[1];
  if (header !== undefined)
    return headerFinding(header.toLowerCase(), condition, { policy, question });
  const matcher = matcherOf(key, policy, question);
  if (matcher === "unseen") return "unseen";
  const isWanted = values.length === 0 || values.some(matcher);
  return isWanted && !notValues.some(matcher) ? "holds" : "fails";
}

/** The doubt about several lines and lists in lines never helps the caller. */
function headerFinding(
  name: string,
  { values = [], notValues = [] }: WrittenCondition,
  { policy, question }: { readonly policy: WrittenPolicy; readonly question: Question },
): Finding {
  const { http } = question.attempt;
  if (!http) return "unseen";
  const lines = http.headers.filter(([key]) => key === name).map(([, value]) => value);
  if (lines.length === 0) return values.length === 0 ? "holds" : "fails";
  const isAllow = policy.spec.action === "ALLOW";
  function isGood(text: string): boolean {
    const isWanted = values.some((value) =>
      value === "*" && text === "" ? !isAllow : fits(value, text),
    );
    const isUnwanted = notValues.some((value) =>
      value === "*" && text === "" ? isAllow : fits(value, text),
    );
    return (values.length === 0 || isWanted) && !isUnwanted;
  }
  const isGoodHeader = isAllow ? lines.every(isGood) : headerReadings(lines).some(isGood);
  return isGoodHeader ? "holds" : "fails";
}

type Matcher = (written: string) => boolean;

function matcherOf(key: string, policy: WrittenPolicy, question: Question): Matcher | "unseen" {
  const { attempt, mesh } = question;
  const { http, remoteIp, sni } = attempt;
  switch (key) {
    case "source.ip":
      return (value) => isInBlock(attempt.sourceIp, value);
    case "destination.ip":
      return (value) => isInBlock(attempt.destinationIp, value);
    case "destination.port":
      return (value) => Number(value) === attempt.port;
    case "remote.ip":
      return remoteIp === undefined ? "unseen" : (value) => isInBlock(remoteIp, value);
    case "connection.sni":
      return sni === undefined ? "unseen" : hostMatcher(sni);
    default:
      if (key.startsWith("source.")) return peerMatcher(key, policy, { attempt, mesh });
      return http ? requestMatcher(key, http) : "unseen";
  }
}

/** Plaintext has no name, so nothing that is asked of a name holds. */
function peerMatcher(
  key: string,
  { namespace }: WrittenPolicy,
  { attempt, mesh }: Pick<Question, "attempt" | "mesh">,
): Matcher {
  const { peer } = attempt;
  if (!peer) return () => false;
  const domains = mesh.domains.includes(peer.domain) ? mesh.domains : [peer.domain];
  const path = `ns/${peer.namespace}/sa/${peer.account}`;
  switch (key) {
    case "source.principal":
      return (value) => domains.some((domain) => fits(value, `${domain}/${path}`));
    case "source.namespace":
      return (value) => fits(value, peer.namespace);
    case "source.trustDomain":
      return (value) => domains.some((domain) => fits(value, domain));
    case "source.serviceAccount":
      return (value) => {
        const full = value.includes("/") ? value : `${namespace}/${value}`;
        return full === `${peer.namespace}/${peer.account}`;
      };
    default:
      throw new Error(`the oracle does not know ${key}`);
  }
}

function requestMatcher(key: string, http: AskedRequest): Matcher {
  switch (key) {
    case "methods":
      return (value) => fits(value, http.method);
    case "paths":
      return (value) => fitsPath(value, http.path);
    case "hosts":
      return hostMatcher(http.host);
    default:
      return claimMatcher(key, http.claims);
  }
}

function claimMatcher(key: string, claims: AskedRequest["claims"]): Matcher {
  if (key === "request.auth.principal") {
    const issuer = claims?.["iss"];
    const subject = claims?.["sub"];
    if (typeof issuer !== "string" || typeof subject !== "string") return () => false;
    return (value) => fitsRequestPrincipal(value, issuer, subject);
  }
  const named = [...key.matchAll(/\[([^\]]*)\]/g)].map((match) => match[1] ?? "");
  const names = { "request.auth.audiences": ["aud"], "request.auth.presenter": ["azp"] }[key];
  if (!names && !key.startsWith("request.auth.claims[")) {
    throw new Error(`the oracle does not know ${key}`);
  }
  return (value) => claimValues(claims, names ?? named).some((text) => fits(value, text));
}

function hostMatcher(host: string): Matcher {
  return (value) => hostTexts(host).some((text) => fits(value.toLowerCase(), text));
}
