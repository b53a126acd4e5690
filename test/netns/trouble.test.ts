/**
 * What happens around a mesh's own processes, under load: a node is cut off, memory runs out, applications crash, clocks
 * step, pods come and go. What may live lives, no octet changes, and nothing goes past policy.
 */
import { spawnSync } from "node:child_process";
import { beforeAll, expect, test } from "@jest/globals";
import { sized } from "../soak.ts";
import type { LoadOutcome } from "./faults/outcome.ts";
import type { TroubleOutcome } from "./trouble/outcome.ts";

const LIMIT_MS = sized(900_000, 1_800_000);
const CHURNED = sized(18, 2_500);

let outcome: TroubleOutcome;

beforeAll(() => {
  const done = spawnSync(process.execPath, ["test/netns/trouble/main.ts"], {
    encoding: "utf8",
    timeout: LIMIT_MS,
  });
  if (done.status !== 0) throw new Error(`exit ${done.status}\n${done.stderr}`);
  outcome = JSON.parse(done.stdout) as TroubleOutcome;
}, LIMIT_MS + 10_000);

/** What no trouble may ever cost, and that there was something to lose. */
function expectHarmless(load: LoadOutcome): void {
  expect(load).toMatchObject({ lost: [], corrupt: [], forbiddenAnswered: 0 });
  expect(load.answered).toBeGreaterThan(0);
  expect(load.kept).toBeGreaterThan(0);
  expect(load.forbiddenTried).toBeGreaterThan(0);
}

test("trouble: a node that is cut off from operator and peers goes on within, by the policies it has", () => {
  expectHarmless(outcome.isolated.load);
  expect(outcome.isolated).toMatchObject({
    within: "api-2",
    forbiddenWithin: expect.stringContaining("failed"),
    across: expect.stringContaining("failed"),
  });
});

test("trouble: a node that is back has the policy that came meanwhile", () => {
  expect(outcome.isolated.lateForbidden).toContain("failed");
});

test("trouble: a traffic process that the kernel ends for its memory is replaced, and costs what it carried", () => {
  expectHarmless(outcome.outOfMemory.load);
  expect(outcome.outOfMemory.kills).toBe(2);
});

test("trouble: an application that crashes again and again costs its own connections alone", () => {
  expectHarmless(outcome.crashLooping);
  // What broke is not lost: whether a connection was with it at that moment is chance.
  expect(outcome.crashLooping.lost).toEqual([]);
});

test("trouble: pods that come and go at the same addresses are answered by their identity, each", () => {
  expectHarmless(outcome.churn.load);
  expect(outcome.churn).toMatchObject({
    pods: CHURNED,
    answered: CHURNED / 2,
    unanswered: [],
    corrupt: [],
    forbiddenAnswered: [],
  });
  expect(outcome.churn.forbiddenTried).toBeGreaterThan(0);
});

test("trouble: a clock that steps by minutes, on and back, costs nothing at all", () => {
  expectHarmless(outcome.clock.small);
  expect(outcome.clock.small).toMatchObject({ torn: 0, broken: 0 });
  expect(outcome.clock.steppedMinutes).toEqual([2, -2, 0]);
});

test("trouble: a clock that is a month ahead answers nobody, and all again once it is back", () => {
  expect(outcome.clock.late).toContain("failed");
  expect(outcome.clock.lateForbidden).toContain("failed");
  expect(outcome.clock.healed).toBe("api-2");
});
