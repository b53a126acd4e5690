import { expect, test } from "@jest/globals";
import { RecentStreams } from "./recent-streams.ts";

/** The nth that a client opens. */
function idOf(n: number): number {
  return 2 * n + 1;
}

test("RecentStreams: a thousand streams that we reset at once are all known, whatever ends besides", () => {
  const recent = new RecentStreams();
  for (let n = 0; n < 1_000; n += 1) recent.add(idOf(n), true);
  for (let n = 1_000; n < 1_300; n += 1) recent.add(idOf(n), false);
  const endings = Array.from({ length: 1_000 }, (_, n) => recent.endingOf(idOf(n)));
  expect(new Set(endings)).toEqual(new Set(["reset by us"]));
  expect(recent.endingOf(idOf(1_299))).toBe("ended");
  expect(recent.endingOf(idOf(1_300))).toBe("unknown");
});

test("RecentStreams: the oldest are forgotten", () => {
  const recent = new RecentStreams();
  for (let n = 0; n < 10_000; n += 1) recent.add(idOf(n), true);
  expect(recent.endingOf(idOf(0))).toBe("unknown");
  expect(recent.endingOf(idOf(9_999))).toBe("reset by us");
  for (let n = 0; n < 300; n += 1) recent.add(idOf(n), false);
  expect(recent.endingOf(idOf(0))).toBe("unknown");
  expect(recent.endingOf(idOf(299))).toBe("ended");
});
