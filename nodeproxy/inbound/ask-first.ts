/**
 * Asks the providers of CUSTOM policies about one inbound attempt, one after the other, until the policies can
 * decide. Nothing is read from the caller meanwhile and nothing is opened to the pod.
 */
import type { Attempt } from "../authz/attempt.ts";
import type { Decision, Verdict } from "../authz/decide.ts";
import { Answers } from "../ext-authz/answers.ts";
import type { Question, SaidChanges, SaidDenial } from "../ext-authz/check-message.ts";
import type { AskedProvider } from "../flow/connection-facts.ts";
import type { InboundPod } from "./inbound-pod.ts";

/** More than any MeshConfig names: a set that changes all the time must not keep a caller waiting for ever. */
const MAX_QUESTIONS = 64;

export interface Settled {
  readonly decision: Decision;
  /** With the answers. */
  readonly attempt: Attempt;
  readonly asked: readonly AskedProvider[];
  /** To be made to a request that is permitted, in this order. */
  readonly changes: readonly SaidChanges[];
  /** How the last one that was asked wants its denial to look. */
  readonly denial?: SaidDenial;
}

/** The provider that stands between the attempt and a decision. */
export function openQuestion(verdict: Verdict): string | undefined {
  return verdict.kind === "deny" ? verdict.ask : undefined;
}

/** Never rejects. */
export async function askFirst(
  { uid, judge, authorizers }: Pick<InboundPod, "uid" | "judge" | "authorizers">,
  attempt: Attempt,
  question: Question,
): Promise<Settled> {
  const answers = new Answers((provider) => authorizers.termsOf(provider));
  const answered = { ...attempt, answers };
  const asked: AskedProvider[] = [];
  const changes: SaidChanges[] = [];
  let denial: SaidDenial | undefined;
  let decision = judge.decide(uid, answered);
  let provider = openQuestion(decision.verdict);
  while (provider !== undefined && asked.length < MAX_QUESTIONS) {
    const told = await authorizers.ask(provider, question);
    answers.set(provider, told);
    asked.push({ provider, answer: told.said });
    if (told.changes) changes.push(told.changes);
    denial = told.denial;
    // By the policies of now.
    decision = judge.decide(uid, answered);
    provider = openQuestion(decision.verdict);
  }
  return { decision, attempt: answered, asked, changes, ...(denial ? { denial } : {}) };
}

/** A provider that MeshConfig does not name denies unasked: the log says so in the same place. */
export function withUnknown(
  asked: readonly AskedProvider[] | undefined,
  verdict: Verdict,
  judge: InboundPod["judge"],
): readonly AskedProvider[] | undefined {
  if (verdict.kind !== "deny" || verdict.reason !== "denied_by_provider") return asked;
  const provider = judge.providerOf(verdict.policy ?? "");
  if (asked?.some((one) => one.provider === provider)) return asked;
  return [...(asked ?? []), { provider, answer: "unknown" }];
}
