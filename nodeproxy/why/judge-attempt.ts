/**
 * One attempt at one pod of this node, with everything that comes before policy and everything that
 * policies say of it. The evaluator is that of the data path; nothing is decided here. Pure.
 */
import type { Enrolment } from "../../core/model/enrolment.ts";
import { modeOfPort } from "../../core/model/mtls-modes.ts";
import type { Attempt, ProviderAnswer } from "../authz/attempt.ts";
import { decideMode } from "../authz/decide-mode.ts";
import { listPolicies, type PolicySet } from "../authz/decider.ts";
import { type Explanation, explain, type PolicyTrace, type RuleTrace } from "../authz/explain.ts";
import { type JudgedToken, judgeToken } from "./judge-token.ts";
import type { MeshView } from "./mesh-view.ts";
import type { IgnoredAttribute, JudgedOutcome, Judgement } from "./why-answer.ts";

/** Ports of a pod that are the mesh's. */
const OWN_PORTS = { from: 15_000, to: 15_090 };

/** Rules of an action that do not match. An answer of 100,000 rules has 60 MB, and control has that much in all. */
const MAX_TOLD = 1_000;

export type Arrival = Pick<Judgement, "arrives" | "arrivesBecause">;

export interface JudgedAttempt {
  readonly enrolment: Enrolment;
  readonly attempt: Attempt;
  readonly arrival: Arrival;
}

export function judgeAttempt(view: MeshView, judged: JudgedAttempt): Judgement {
  const { enrolment, arrival } = judged;
  const token = judgeToken(view, enrolment, judged.attempt);
  const { attempt } = token;
  const rulings = policiesOf(view, enrolment, attempt);
  const explanation = explain(rulings, attempt, MAX_TOLD);
  const before = decidedBefore(enrolment, token);
  const outcome = before ?? explanation.outcome;
  const providers = before || !rulings ? undefined : askProviders(rulings, attempt, explanation);
  return {
    enforced: enforcementOf(view, judged),
    ...arrival,
    mode: modeOfPort(enrolment.modes, attempt.destinationPort),
    readAs: readAs(attempt),
    ...toldOf(token),
    outcome,
    ignored: explanation.policies.flatMap(ignoredIn),
    explanation,
    ...(providers ? { ifProvidersPermit: providers } : {}),
  };
}

function readAs({ http, sni }: Attempt): Judgement["readAs"] {
  if (http) return "http";
  return sni === undefined ? "opaque" : "tls";
}

function toldOf({
  authentications,
  token,
}: JudgedToken): Pick<Judgement, "requestAuthentications" | "token"> {
  return {
    ...(authentications.length === 0 ? {} : { requestAuthentications: authentications }),
    ...(token === undefined ? {} : { token }),
  };
}

/** What nobody rules: everything passes, as without the mesh. */
export function judgeOutside(arrival: Arrival): Judgement {
  const outcome: JudgedOutcome = { kind: "permit" };
  return { enforced: "not_in_mesh", ...arrival, readAs: "opaque", outcome, ignored: [] };
}

function policiesOf(
  view: MeshView,
  { policies: refs }: Enrolment,
  attempt: Attempt,
): PolicySet | undefined {
  const { settings } = view;
  if (!settings) return undefined;
  const providers = askable(view, attempt);
  return listPolicies({ refs, policyOf: (ref) => view.policies.get(ref), settings, providers });
}

/** One that speaks HTTP cannot be asked of a connection in which nobody reads any: it denies. */
function askable({ settings }: MeshView, { http }: Attempt): readonly string[] {
  const providers = settings?.authorizationProviders ?? [];
  return providers
    .filter(({ protocol }) => http || protocol.kind === "grpc")
    .map(({ name }) => name);
}

/** In the order of the data path: port, mode, token. */
function decidedBefore(
  { modes }: Enrolment,
  { attempt, refused }: JudgedToken,
): JudgedOutcome | undefined {
  const { destinationPort } = attempt;
  if (destinationPort >= OWN_PORTS.from && destinationPort <= OWN_PORTS.to) {
    return { kind: "deny", reason: "own_port" };
  }
  const mode = decideMode(modes, attempt);
  if (mode.kind === "deny") return mode;
  return refused === undefined ? undefined : { kind: "deny", reason: refused };
}

function enforcementOf(
  { workloads }: MeshView,
  { enrolment, attempt, arrival }: JudgedAttempt,
): Judgement["enforced"] {
  const isCaptured = workloads.some(({ uid, tunnel }) => uid === enrolment.uid && tunnel);
  if (!isCaptured) return "not_captured";
  const isPast =
    arrival.arrives === "plaintext" &&
    enrolment.exclusions.inboundPorts.includes(attempt.destinationPort);
  return isPast ? "port_excluded" : "yes";
}

/** What it would come to if each provider that is asked said yes. Nobody is asked. */
function askProviders(
  rulings: PolicySet,
  attempt: Attempt,
  { outcome: first }: Explanation,
): Judgement["ifProvidersPermit"] {
  const answers = new Map<string, ProviderAnswer>();
  let outcome = first;
  for (let ask = askIn(outcome); ask !== undefined; ask = askIn(outcome)) {
    answers.set(ask, "permit");
    outcome = explain(rulings, { ...attempt, answers }, 0).outcome;
  }
  return answers.size === 0 ? undefined : { asked: [...answers.keys()], outcome };
}

function askIn(outcome: Explanation["outcome"]): string | undefined {
  return outcome.kind === "deny" ? outcome.ask : undefined;
}

/** Of policies in force or in dry run alike. */
function ignoredIn({ policy, action, rules }: PolicyTrace): readonly IgnoredAttribute[] {
  const effect = action === "ALLOW" ? "rule_dropped" : "attribute_erased";
  return rules.flatMap((rule) =>
    unseenIn(rule).map((field) => ({ policy, rule: rule.index, field, effect }) as const),
  );
}

function unseenIn({ from, to, when }: RuleTrace): readonly string[] {
  const parts = [
    ...from.map(({ clauses }, i) => ({ place: `from[${i}]`, clauses })),
    ...to.map(({ clauses }, i) => ({ place: `to[${i}]`, clauses })),
    ...when.map((clauses, i) => ({ place: `when[${i}]`, clauses })),
  ];
  return parts.flatMap(({ place, clauses }) =>
    clauses.filter(({ outcome }) => outcome === "unseen").map(({ field }) => `${place}.${field}`),
  );
}
