import { expect, test } from "@jest/globals";
import type { DeniedAttempt } from "../../core/model/denied-attempt.ts";
import type { FromTraffic } from "../channel/messages.ts";
import { DenialAnswers } from "./denial-answers.ts";

const ATTEMPT = { id: "0a1b2c-0123456789ab" } as DeniedAttempt;
const NONE = { kind: "denial", id: 1 } as const;

function asked(workers: readonly number[]) {
  const sent: FromTraffic[] = [];
  const answers = new DenialAnswers((answer) => sent.push(answer));
  answers.begin(1, new Set(workers));
  return { sent, answers };
}

test("DenialAnswers: the worker that keeps it answers for all, once", () => {
  const { sent, answers } = asked([0, 1, 2]);
  answers.answered(NONE, 0);
  expect(sent).toEqual([]);
  answers.answered({ ...NONE, attempt: ATTEMPT }, 1);
  answers.answered(NONE, 2);
  expect(sent).toEqual([{ ...NONE, attempt: ATTEMPT }]);
});

test("DenialAnswers: none has it once every worker has said so or died", () => {
  const { sent, answers } = asked([0, 1]);
  answers.answered(NONE, 0);
  answers.died(1);
  expect(sent).toEqual([NONE]);
});

test("DenialAnswers: without a worker there is nothing to wait for", () => {
  expect(asked([]).sent).toEqual([NONE]);
});
