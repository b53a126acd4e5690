/** An answer of `weftctl why` for people: the verdict in the first line, then the call, then what came before policy, then policy. */
import { formatSpiffeId } from "../../core/model/spiffe-id.ts";
import type { PolicyTrace } from "../../nodeproxy/authz/explain.ts";
import type { PolicyRuleRef } from "../../nodeproxy/authz/verdict.ts";
import type { Caller, JudgedOutcome, Judgement } from "../../nodeproxy/why/why-answer.ts";
import { describeExplanation } from "./describe-explanation.ts";
import { isTokenDenial, tokenDenialText, tokenLines } from "./describe-tokens.ts";
import { effectOf, type ReportedTarget, type WhyReport } from "./gather-why.ts";
import type { Paint } from "./paint.ts";

const ARRIVES: Readonly<Record<Judgement["arrivesBecause"], string>> = {
  "": "",
  caller_outside: ": the caller has no node proxy that tunnels for it",
  mode_disable: ": the port's mode is DISABLE, so callers do not encrypt towards it",
  asked_for: ": as asked for with --plaintext",
  not_captured: ": the pod called is not captured, so nobody tunnels to it",
};

const ENFORCED: Readonly<Record<Judgement["enforced"], string>> = {
  yes: "",
  not_in_mesh: "not in the mesh: no policy rules it, calls pass",
  not_captured: "enrolled and not captured now: nothing rules it, below is what would be",
  port_excluded: "the port is excluded from capture: plaintext passes by, below is what would be",
};

const READ_AS: Readonly<Record<Judgement["readAs"], string>> = {
  opaque: "opaque bytes: no attribute of HTTP can be seen",
  tls: "TLS: of what the application reads, the server's name alone can be seen",
  http: "HTTP",
};

export function describeWhy(report: WhyReport, paint: Paint): string {
  const { verdict, caller, destination, targets, notes } = report;
  const [first] = targets;
  const only = targets.length === 1 ? first : undefined;
  const call = `${callerText(caller)} -> ${destination.kind} ${destination.name} port ${destination.port}`;
  const judgement = only?.judgement;
  const because = judgement ? `: ${reasonText(judgement)}` : countText(targets);
  const head = `${verdict.toUpperCase()} ${call}${because}`;
  return [
    paint(verdict === "permit" ? "good" : "bad", head),
    ...notes.map((note) => `note: ${note}`),
    ...groupTargets(targets).flatMap((group) => ["", ...groupLines(group, caller, paint)]),
  ].join("\n");
}

/** For a denial as well. */
export function judgementLines(judgement: Judgement, paint: Paint): readonly string[] {
  const { enforced, arrives, arrivesBecause, mode, readAs, explanation, ignored } = judgement;
  if (enforced === "not_in_mesh") return [`  ${ENFORCED[enforced]}`];
  const lines = [
    ...(enforced === "yes" ? [] : [paint("bad", `  ${ENFORCED[enforced]}`)]),
    `  arrives: ${arrives === "mutual_tls" ? "by mutual TLS" : "as plaintext"}${ARRIVES[arrivesBecause]}`,
    `  mode of the port (PeerAuthentication): ${mode ?? ""}${modeText(judgement)}`,
    `  read as: ${READ_AS[readAs]}`,
    ...tokenLines(judgement),
    ...ignored.map(
      ({ policy, rule, field, effect }) =>
        `  not enforced as written: ${policy} rule ${rule} ${field} (${effect})`,
    ),
    ...providerLines(judgement),
  ];
  if (!explanation) return lines;
  const { outcome } = judgement;
  const deciding = (outcome.kind === "permit" ? outcome.by?.policy : outcome.policy) ?? "";
  const tree = describeExplanation(explanation, deciding, paint);
  return [...lines, "", ...tree.map((line) => `  ${line}`)];
}

/** What decided, in one clause. */
export function reasonText(judgement: Judgement): string {
  const { enforced, outcome } = judgement;
  if (enforced !== "yes") return ENFORCED[enforced];
  return outcomeText(outcome, judgement);
}

function outcomeText(outcome: JudgedOutcome, judgement: Judgement): string {
  if (outcome.kind === "deny") return `${denialText(outcome, judgement)} (${outcome.reason})`;
  if (!outcome.by) return "no ALLOW policy applies and nothing denies";
  return `ALLOW ${outcome.by.policy} rule ${outcome.by.rule} matches`;
}

function denialText(
  outcome: Extract<JudgedOutcome, { readonly kind: "deny" }>,
  { explanation, ifProvidersPermit }: Judgement,
): string {
  const place = placeText(outcome);
  const { reason } = outcome;
  if (isTokenDenial(reason)) return tokenDenialText(reason);
  switch (reason) {
    case "denied_by_policy":
      return `DENY ${place} matches`;
    case "denied_by_provider":
      return customText(`CUSTOM ${place} matches`, outcome.ask, ifProvidersPermit);
    case "not_allowed":
      return noneMatches(explanation?.policies.filter(isAllowing).length ?? 0);
    case "policy_invalid":
      return `${place} cannot be evaluated, so it denies what it selects`;
    case "policy_missing":
      return `${place} has not arrived at the node`;
    case "policy_unknown":
      return "the node knows nothing of the mesh's settings yet";
    case "plaintext_refused":
      return "the port takes callers with an identity only: STRICT";
    case "own_port":
      return "ports 15000 to 15090 of a pod are the mesh's";
  }
}

/** Denied is what it comes to without an answer: `why` asks nobody. */
function customText(
  matches: string,
  ask: string | undefined,
  permitted: Judgement["ifProvidersPermit"],
): string {
  if (ask === undefined) return `${matches}, and its provider cannot be asked`;
  const yes = permitted?.outcome.kind ?? "deny";
  return `${matches} and would ask provider ${ask}: ${yes} if it says yes, deny if it says no`;
}

function placeText({ policy = "", rule }: Partial<PolicyRuleRef>): string {
  return rule === undefined ? policy : `${policy} rule ${rule}`;
}

function isAllowing({ action, dryRun }: PolicyTrace): boolean {
  return action === "ALLOW" && !dryRun;
}

function noneMatches(count: number): string {
  return `${count} ALLOW ${count === 1 ? "policy applies" : "policies apply"} and none matches`;
}

function modeText({ mode, outcome }: Judgement): string {
  if (outcome.kind === "deny" && outcome.reason === "plaintext_refused") {
    return ": plaintext is refused, before any policy";
  }
  return mode === "STRICT" ? ": identity only" : ": with identity or without";
}

function providerLines({ ifProvidersPermit }: Judgement): readonly string[] {
  if (!ifProvidersPermit) return [];
  const { asked, outcome } = ifProvidersPermit;
  const whom = `provider${asked.length === 1 ? "" : "s"} ${asked.join(", ")}`;
  return [
    `  would ask ${whom} (not asked by why): ${outcome.kind} if all say yes, deny if one says no`,
  ];
}

function callerText({ kind, name, identity, tunnels }: Caller): string {
  const word = { pod: "pod ", service_account: "service account ", identity: "", address: "" }[
    kind
  ];
  if (!identity || kind === "identity") return `${word}${name}`;
  return `${word}${name} (${tunnels ? formatSpiffeId(identity) : "without an identity"})`;
}

function countText(targets: readonly ReportedTarget[]): string {
  if (targets.length < 2) return "";
  const effects = targets.map(({ judgement }) => judgement && effectOf(judgement));
  const permits = effects.filter((effect) => effect === "permit").length;
  const denies = effects.filter((effect) => effect === "deny").length;
  return `: ${permits} of ${targets.length} endpoints permit, ${denies} deny`;
}

/** Endpoints of which everything that is told is the same are told of once. */
function groupTargets(targets: readonly ReportedTarget[]): readonly (readonly ReportedTarget[])[] {
  const groups = Map.groupBy(targets, ({ judgement, problem, port }) =>
    JSON.stringify([
      port,
      problem,
      judgement && { ...judgement, explanation: undefined },
      judgement?.explanation?.policies.map(({ policy, matched }) => [policy, matched]),
    ]),
  );
  return [...groups.values()];
}

function groupLines(
  group: readonly ReportedTarget[],
  caller: Caller,
  paint: Paint,
): readonly string[] {
  const [first] = group;
  if (!first) return [];
  const places = group.map(({ workload, address, port, node }) => {
    const at = address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
    return workload === "" ? at : `pod ${workload} (${at}) on node ${node}`;
  });
  const from = caller.address === "" ? "an address that is not known" : caller.address;
  const head = `from ${from} to ${places.join(", ")}`;
  const { judgement, problem } = first;
  if (!judgement) return [head, paint("bad", `  could not be asked: ${problem ?? ""}`)];
  const verdict = `  ${effectOf(judgement)}: ${reasonText(judgement)}`;
  const lines = judgementLines(judgement, paint);
  return group.length === 0 ? [] : [head, verdict, ...lines];
}
