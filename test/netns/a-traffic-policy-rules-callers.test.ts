/** A TrafficPolicy as YAML through the operator and both processes of the caller's node, to real connections. */
import { spawnSync } from "node:child_process";
import { expect, test } from "@jest/globals";
import type { BalanceOutcome } from "./balance/outcome.ts";

const LIMIT_MS = 280_000;

test("a TrafficPolicy that comes rules new connections, and one that goes leaves them as before", () => {
  const done = spawnSync(process.execPath, ["test/netns/balance/main.ts"], {
    encoding: "utf8",
    timeout: LIMIT_MS,
  });
  if (done.status !== 0) throw new Error(`exit ${done.status}\n${done.stderr}`);
  const { inTurn, hashed, asHttp, again } = JSON.parse(done.stdout) as BalanceOutcome;
  for (const answers of [inTurn, again]) {
    const counts = ["api-1", "api-2", "api-3"].map((name) => {
      return answers.filter((answer) => answer === name).length;
    });
    expect(counts).toEqual([4, 4, 4]);
  }
  expect(hashed).toHaveLength(12);
  expect(["api-1", "api-2", "api-3"]).toContain(hashed[0]);
  for (const answer of asHttp) {
    expect(answer).toMatch(/^HTTP\/1\.1 400 [^]*\r\nx-weft-reason: request_malformed\r\n/);
  }
});
