import { expect, test } from "@jest/globals";
import { cutProfile, selfTimes } from "./profile/cpu-profile.ts";

function node(id: number, functionName: string, url = "") {
  return { id, callFrame: { functionName, url, lineNumber: 9 } };
}

const PROFILE = {
  nodes: [node(1, "(idle)"), node(2, "start"), node(3, "splice", "file:///weft/flow/splice.ts")],
  startTime: 1_000,
  endTime: 1_060,
  samples: [2, 2, 3, 1, 3, 2],
  timeDeltas: [10, 10, 10, 10, 10, 10],
};

test("cutProfile(): leaves the samples between two moments, counted anew, at the same moments", () => {
  const cut = cutProfile(PROFILE, 1_025, 1_055);
  expect(cut).toMatchObject({ startTime: 1_025, endTime: 1_055, samples: [3, 1, 3] });
  expect(cut.timeDeltas).toEqual([5, 10, 10]);
  expect(cut.nodes.map(({ hitCount }) => hitCount)).toEqual([1, 0, 2]);
});

test("selfTimes(): per cent of what ran, without the idle, the dearest first", () => {
  expect(selfTimes(PROFILE)).toEqual([
    { name: "start", percent: 60 },
    { name: "splice flow/splice.ts:10", percent: 40 },
  ]);
});
