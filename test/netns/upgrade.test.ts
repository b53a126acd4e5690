/**
 * Every node proxy of a mesh is replaced again and again under load: no new connection is refused or reset, and those
 * that are open live for as long as whoever carries them may.
 */
import { spawnSync } from "node:child_process";
import { beforeAll, expect, test } from "@jest/globals";
import { sized } from "../soak.ts";
import type { UpgradeOutcome } from "./upgrade/outcome.ts";

const LIMIT_MS = sized(900_000, 1_800_000);
const ANSWERED = sized(3_000, 100_000);
const UPGRADES = sized(6, 40);

let outcome: UpgradeOutcome;

beforeAll(() => {
  const done = spawnSync(process.execPath, ["test/netns/upgrade/main.ts"], {
    encoding: "utf8",
    timeout: LIMIT_MS,
  });
  if (done.status !== 0) throw new Error(`exit ${done.status}\n${done.stderr}`);
  outcome = JSON.parse(done.stdout) as UpgradeOutcome;
}, LIMIT_MS + 10_000);

test("upgrade: new connections are answered, every one, whichever node proxy takes them", () => {
  expect(outcome).toMatchObject({ upgrades: UPGRADES, lost: [], corrupt: [] });
  expect(outcome.answered).toBeGreaterThanOrEqual(ANSWERED);
});

test("upgrade: each node proxy opens one stream to the operator, and takes nobody's", () => {
  expect(outcome.streamsOpened).toBe(UPGRADES);
});

test("upgrade: open connections live to the drain budget of whoever carries them", () => {
  expect(outcome.cutEarly).toEqual([]);
  expect(outcome.cutInTime).toBeGreaterThan(0);
});

test("upgrade: policy holds all the time", () => {
  expect(outcome.forbiddenTried).toBeGreaterThan(0);
  expect(outcome.forbiddenAnswered).toBe(0);
});
